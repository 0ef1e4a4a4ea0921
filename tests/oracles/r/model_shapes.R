# The shapes of models that users ask for by name, on synthetic growth data; and further mixed models on
# Project STAR and on data of mlmRev and lme4, of which values only are kept. Three minutes.
# Run from the root of the repository: Rscript tests/oracles/r/model_shapes.R [STAR_TABLE]
# STAR_TABLE: pupils.csv as analyses/star/prepare.py makes it; without it the stored values of STAR are kept.
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
told <- commandArgs(TRUE); stored <- file.path(here, "model_shapes.json")
before <- if (file.exists(stored)) fromJSON(stored, simplifyVector = FALSE) else list()

# recheck() of common.R starts again from four points, which is long for large models: none is asked above n rows.
values <- function(m, satt = TRUE, kr = FALSE, again = nobs(m) < 3000) {
  l <- logLik(m)
  o <- list(formula = deparse1(formula(m)), method = if (isREML(m)) "REML" else "ML", n = nobs(m),
    groups = as.list(sapply(getME(m, "flist"), nlevels)), coef_names = vec(names(fixef(m))), beta = vec(fixef(m)),
    se = vec(sqrt(diag(as.matrix(vcov(m))))), theta_names = vec(names(getME(m, "theta"))), theta = vec(getME(m, "theta")),
    sigma = sigma(m), varcorr = varcorr(m), logLik = as.numeric(l), singular = isSingular(m))
  if (again) o$reoptimised <- recheck(m)
  if (satt && isREML(m)) o$satterthwaite <- satt_values(m)
  if (kr && isREML(m)) { o$kenward_roger <- kr_values(m); o$kenward_roger$vcovAdj <- NULL }
  o
}
both <- function(f, d, precision = NULL, satt = TRUE, kr = FALSE) {
  environment(f) <- environment()                       # lmer looks for weights in the data, then beside the formula
  stopifnot(!"precision" %in% names(d))
  list(REML = values(lmer(f, d, REML = TRUE, weights = precision, control = tight), satt, kr),
       ML = values(lmer(f, d, REML = FALSE, weights = precision, control = tight)))
}
# A linear combination of coefficients: estimate, error, Satterthwaite's df.
lines_of <- function(m, L) {
  k <- lapply(seq_len(nrow(L)), function(i) lmerTest::contest1D(lmerTest::as_lmerModLmerTest(m), L[i, ], ddf = "Satterthwaite"))
  pick <- function(v) vec(sapply(k, function(x) x[[v]]))
  list(L = mat(L), estimate = pick("Estimate"), se = pick("Std. Error"), df = pick("df"), p = pick("Pr(>|t|)"))
}

# ---- synthetic: 18 schools, waves -1 to 2 about time zero, arms inside schools and elsewhere ---------------------------
set.seed(20267)
n_s <- 18; school <- sprintf("s%02d", seq_len(n_s)); size <- sample(8:20, n_s, TRUE); size[3] <- 2; size[11] <- 1
pu <- data.frame(school = rep(school, size)); pu$pupil <- sprintf("p%03d", seq_len(nrow(pu)))
host <- pu$school %in% school[1:10]
pu$arm <- ifelse(!host, "non_host", ifelse(runif(nrow(pu)) < 0.4, "base", "host_mainstream"))
pu$prior <- rnorm(nrow(pu)) + rnorm(n_s, 0, 0.6)[match(pu$school, school)]
pu$w <- exp(runif(nrow(pu), log(0.3), log(3)))
u <- rnorm(n_s, 0, 0.5); v <- rnorm(n_s, 0, 0.5); u0 <- rnorm(nrow(pu), 0, 0.7); u1 <- rnorm(nrow(pu), 0, 0.3)
d <- merge(pu, data.frame(wave = -1:2)); d <- d[order(d$pupil, d$wave), ]; i <- match(d$pupil, pu$pupil); s <- match(d$school, school)
mean_prior <- ave(d$prior, d$school)
d$y <- 10 + 0.4 * d$wave + 0.3 * pmax(d$wave, 0) * (d$arm == "base") + 0.5 * d$prior + 0.6 * mean_prior + u[s] + v[s] * (d$arm == "base") +
  u0[i] + u1[i] * d$wave + rnorm(nrow(d), 0, 0.6)
d$absent <- rbinom(nrow(d), 1, plogis(-1 + 0.4 * d$wave + u[s]))
d <- d[runif(nrow(d)) < 0.9, ]; rownames(d) <- NULL
d$arm <- factor(d$arm, c("host_mainstream", "base", "non_host"))
file <- write_data(d[, c("school", "pupil", "arm", "wave", "prior", "w", "y", "absent")], "model_shapes.csv")
d$wave <- as.double(d$wave)

out <- list(versions = versions("lme4", "lmerTest", "pbkrtest", "nlme", "mlmRev", "jsonlite", "Matrix"),
            data = list(file = file, rows = nrow(d), pupils = length(unique(d$pupil)), schools = n_s))

# growth: linear, and a knot at wave zero
d$before <- pmin(d$wave, 0); d$after <- pmax(d$wave, 0)
f1 <- y ~ arm * wave + prior + (1 + wave | pupil) + (1 | school)
f2 <- y ~ arm * (before + after) + prior + (1 + wave | pupil) + (1 | school)
out$growth <- both(f1, d); out$growth_knot <- both(f2, d)
m <- lmer(f1, d, control = tight); b <- names(fixef(m)); at <- function(...) { x <- setNames(numeric(length(b)), b); x[c(...)] <- 1; x }
slope <- rbind(at("wave"), at("wave", "armbase:wave"), at("wave", "armnon_host:wave"))
gap <- function(t) rbind(at("armbase") + t * at("armbase:wave"), at("armnon_host") + t * at("armnon_host:wave"),
                         at("armbase") - at("armnon_host") + t * (at("armbase:wave") - at("armnon_host:wave")))
out$growth$slopes <- lines_of(m, slope)
out$growth$gaps <- lines_of(m, do.call(rbind, lapply(-1:2, gap)))
m2 <- lmer(f2, d, control = tight); b <- names(fixef(m2))
out$growth_knot$slopes <- lines_of(m2, rbind(at("before"), at("before", "armbase:before"), at("after"), at("after", "armbase:after")))
out$growth_weighted <- both(y ~ arm * wave + (1 + wave | pupil) + (1 | school), d, d$w)

# one wave: pupils in schools
e <- d[d$wave == 1, ]; e$m_prior <- ave(e$prior, e$school); e$c_prior <- e$prior - e$m_prior
e$mw <- ave(e$w * e$prior, e$school, FUN = sum) / ave(e$w, e$school, FUN = sum); e$cw <- e$prior - e$mw
out$within_between <- both(y ~ c_prior + m_prior + (1 | school), e, kr = TRUE)
out$mundlak <- both(y ~ prior + m_prior + (1 | school), e, kr = TRUE)
out$plain <- both(y ~ prior + (1 | school), e, kr = TRUE)
out$within_between_weighted <- both(y ~ cw + mw + (1 | school), e, e$w)

# the arms inside host schools: does the effect vary?
h <- e[e$arm != "non_host", ]; h$base <- as.double(h$arm == "base")
out$school_slopes <- both(y ~ base + prior + (1 + base | school), h, kr = TRUE)
out$school_slopes_none <- both(y ~ base + prior + (1 | school), h, kr = TRUE)

# each school's shrunken estimate: modes and their conditional standard deviations
m3 <- lmer(y ~ prior + (1 | school), e, control = tight); r <- as.data.frame(ranef(m3))
out$shrunken <- list(school = vec(as.character(r$grp)), mode = vec(r$condval), conditional_sd = vec(r$condsd))

# variances: two levels, three levels, a slope
out$two_level <- both(y ~ 1 + (1 | school), e); out$three_level <- both(y ~ 1 + (1 | pupil) + (1 | school), d)
out$slope <- both(y ~ prior + (1 + prior | school), e)
g <- glmer(absent ~ wave + (1 | school), d, family = binomial, control = glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9)))
out$binary <- list(formula = deparse1(formula(g)), coef_names = vec(names(fixef(g))), beta = vec(fixef(g)), variance = unname(getME(g, "theta")^2),
                   icc = unname(getME(g, "theta")^2 / (getME(g, "theta")^2 + pi^2 / 3)), logLik = as.numeric(logLik(g)))

# ---- data of mlmRev and lme4: values only ---------------------------------------------------------------------------
data(Exam, package = "mlmRev"); data(Hsb82, package = "mlmRev"); data(egsingle, package = "mlmRev"); data(ScotsSec, package = "mlmRev")
data(InstEval, package = "lme4")
classic <- list()
Exam$m_lrt <- ave(Exam$standLRT, Exam$school); Exam$c_lrt <- Exam$standLRT - Exam$m_lrt
classic$exam_within_between <- both(normexam ~ c_lrt + m_lrt + (1 | school), Exam)
classic$hsb82 <- both(mAch ~ meanses * cses + sector * cses + (cses | school), Hsb82)
classic$egsingle <- both(math ~ year + (1 + year | childid) + (1 + year | schoolid), egsingle, satt = FALSE)
classic$egsingle_intercepts <- both(math ~ year + (1 | childid) + (1 | schoolid), egsingle)
classic$scots <- both(attain ~ verbal + sex + (1 | primary) + (1 | second), ScotsSec)
classic$insteval <- both(y ~ service + (1 | s) + (1 | d), InstEval, satt = FALSE)
out$classic <- classic

# ---- Project STAR ---------------------------------------------------------------------------------------------------
star <- before$star
if (length(told) == 1) {
  t <- read.csv(told, na.strings = "", colClasses = c(pupil_id = "character", school_id = "character"))
  t <- t[t$placement %in% c("small", "regular", "regular+aide", "comparison") & t$wave < 4, ]
  t$arm <- factor(ifelse(t$placement == "small", "base", ifelse(t$placement == "comparison", "non_host", "host_mainstream")), c("host_mainstream", "base", "non_host"))
  t$grade <- as.double(t$grade); t$first <- pmin(t$grade, 1); t$later <- pmax(t$grade - 1, 0); t$male <- as.double(t$sex == "male"); t$white <- as.double(t$white == "yes")
  r <- t[complete.cases(t[, c("reading", "male", "white", "age_months")]), ]
  star <- list(rows = nrow(r), pupils = length(unique(r$pupil_id)), schools = length(unique(r$school_id)))
  star$intercepts <- both(reading ~ arm * grade + male + white + age_months + (1 | pupil_id) + (1 | school_id), r)
  star$growth <- both(reading ~ arm * grade + male + white + (1 + grade | pupil_id) + (1 | school_id), r, satt = FALSE)
  star$growth_school <- both(reading ~ arm * grade + male + white + (1 + grade | pupil_id) + (1 + grade | school_id), r, satt = FALSE)
  star$piecewise <- both(reading ~ arm * (first + later) + male + white + (1 | pupil_id) + (1 + later | school_id), r)
  k <- t[t$wave == 1 & !is.na(t$maths) & t$arm != "non_host", ]; k$base <- as.double(k$arm == "base")
  star$varying_effect <- both(maths ~ base + male + (1 + base | school_id), k)
  cell <- aggregate(cbind(maths, n = 1) ~ school_id + arm + grade, t[!is.na(t$maths), ], sum); cell$mean <- cell$maths / cell$n
  star$cells_weighted <- both(mean ~ arm * grade + (1 | school_id), cell, cell$n)
}
out$star <- star
write_values(out, "model_shapes.json")
