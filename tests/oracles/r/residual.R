# Waves of pupils in schools, with gaps, waves missed and pupils seen once: structures of residuals by nlme. Synthetic.
# Run from the root of the repository: Rscript tests/oracles/r/residual.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
suppressMessages(library(nlme))
set.seed(20267)
times <- c(0, 1, 2, 4); k <- 14; size <- c(2, 3, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12, 13, 14)
school <- rep(seq_len(k), size); P <- length(school); arm <- sample(c("usual", "base", "host"), P, TRUE, c(.5, .25, .25))
rho <- 0.55; tail <- c(usual = 1, base = 1.5, host = 0.8); wave_sd <- c(1, 1.1, 0.9, 1.3)
R <- rho^abs(outer(times, times, "-")); u <- rnorm(k, 0, 0.6); v <- rnorm(P, 0, 0.5)
d <- do.call(rbind, lapply(seq_len(P), function(i) {
  e <- drop(t(chol(R)) %*% rnorm(4)) * wave_sd * tail[[arm[i]]]
  data.frame(school = sprintf("s%02d", school[i]), pupil = sprintf("p%03d", i), arm = arm[i], wave = times,
             prior = rnorm(1), y = u[school[i]] + v[i] + 0.3 * times + 0.25 * times * (arm[i] == "base") + e)
}))
d$y <- d$y + 0.4 * d$prior + 50
keep <- unlist(lapply(seq_len(P), function(i) { r <- runif(4) < .72; if (i %% 9 == 0) r <- c(FALSE, FALSE, TRUE, FALSE); if (!any(r)) r[1] <- TRUE; r }))
d <- d[keep, ]; d <- d[sample(nrow(d)), ]
d$arm <- factor(d$arm, c("usual", "base", "host")); d$wave <- as.integer(d$wave)
f <- y ~ wave * arm + prior
# nlme must stop late to be a reference; what is left is compared by the likelihood.
gc_ <- glsControl(tolerance = 1e-10, msTol = 1e-13, maxIter = 500, msMaxIter = 500, opt = "nlminb")
lc_ <- lmeControl(tolerance = 1e-10, msTol = 1e-13, maxIter = 500, msMaxIter = 500, niterEM = 50, opt = "nlminb", returnObject = TRUE)
# corSymm wants occasions numbered from 1; corAR1 takes distances between the waves themselves.
d$occasion <- match(d$wave, times)
fits <- list(
  gls_ar1 = function(m) gls(f, d, correlation = corAR1(form = ~ wave | pupil), method = m, control = gc_),
  gls_exchangeable = function(m) gls(f, d, correlation = corCompSymm(form = ~ 1 | pupil), method = m, control = gc_),
  gls_unstructured = function(m) gls(f, d, correlation = corSymm(form = ~ occasion | pupil), weights = varIdent(form = ~ 1 | wave), method = m, control = gc_),
  gls_by_arm = function(m) gls(f, d, weights = varIdent(form = ~ 1 | arm), method = m, control = gc_),
  gls_ar1_by_arm = function(m) gls(f, d, correlation = corAR1(form = ~ wave | pupil), weights = varIdent(form = ~ 1 | arm), method = m, control = gc_),
  gls_ar1_by_both = function(m) gls(f, d, correlation = corAR1(form = ~ wave | pupil),
    weights = varComb(varIdent(form = ~ 1 | wave), varIdent(form = ~ 1 | arm)), method = m, control = gc_),
  school_ar1 = function(m) lme(f, d, random = ~ 1 | school, correlation = corAR1(form = ~ wave | school/pupil), method = m, control = lc_),
  school_slope_exchangeable = function(m) lme(f, d, random = list(school = pdDiag(~ wave)), correlation = corCompSymm(form = ~ 1 | school/pupil), method = m, control = lc_),
  school_unstructured = function(m) lme(f, d, random = ~ 1 | school, correlation = corSymm(form = ~ occasion | school/pupil), weights = varIdent(form = ~ 1 | wave), method = m, control = lc_),
  school_pupil_ar1 = function(m) lme(f, d, random = ~ 1 | school/pupil, correlation = corAR1(form = ~ wave | school/pupil), method = m, control = lc_),
  school_pupil_by_arm = function(m) lme(f, d, random = ~ 1 | school/pupil, weights = varIdent(form = ~ 1 | arm), method = m, control = lc_),
  pupil_slope = function(m) lme(f, d, random = ~ wave | pupil, method = m, control = lc_))
values <- function(m) {
  o <- list(coef_names = vec(names(if (inherits(m, "gls")) coef(m) else fixef(m))), beta = vec(if (inherits(m, "gls")) coef(m) else fixef(m)),
            se = vec(sqrt(diag(vcov(m)))), logLik = as.numeric(logLik(m)), sigma = m$sigma)
  cs <- m$modelStruct$corStruct; vs <- m$modelStruct$varStruct
  if (!is.null(cs)) o$correlation <- vec(coef(cs, unconstrained = FALSE))
  if (!is.null(vs)) o$sd_ratio <- as.list(coef(vs, unconstrained = FALSE, allCoef = FALSE))
  if (inherits(m, "lme")) o$random <- lapply(m$modelStruct$reStruct, function(r) mat(as.matrix(r) * m$sigma^2))
  if (is.matrix(m$apVar)) o$ap_var <- list(names = vec(rownames(m$apVar)), var = vec(diag(m$apVar)))
  o
}
out <- list(versions = versions("nlme", "jsonlite"), data = list(file = write_data(d[, c("school", "pupil", "arm", "wave", "prior", "y")], "residual.csv"), rows = nrow(d), pupils = P, schools = k),
  note = paste("nlme's log-likelihoods; vcov of gls under ML is its own (n - p); random: covariances by level, in the order school, pupil.",
    "Satterthwaite by lmerTest for the model that the exchangeable one equals: nested random intercepts."))
for (nm in names(fits)) for (m in c("REML", "ML")) { out[[nm]][[m]] <- values(fits[[nm]](m)); cat(nm, m, out[[nm]][[m]]$logLik, "\n") }
# clubSandwich on rows in order: school, pupil, wave.
s <- d[order(d$school, d$pupil, d$wave), ]
for (nm in c("gls_ar1", "gls_by_arm", "school_ar1")) {
  m <- switch(nm, gls_ar1 = gls(f, s, correlation = corAR1(form = ~ wave | pupil), control = gc_), gls_by_arm = gls(f, s, weights = varIdent(form = ~ 1 | arm), control = gc_),
    school_ar1 = lme(f, s, random = ~ 1 | school, correlation = corAR1(form = ~ wave | school/pupil), control = lc_))
  k <- coef_test(m, vcov = "CR2", cluster = s$school, test = "Satterthwaite")
  out[[nm]]$CR2 <- list(se = vec(k$SE), df = vec(k$df_Satt))
}
m3 <- lmer(y ~ wave * arm + prior + (1 | school) + (1 | school:pupil), d, REML = TRUE, control = tight)
out$nested_lmer <- list(logLik = as.numeric(logLik(m3)), beta = vec(fixef(m3)), satterthwaite = satt_values(m3))
write_values(out, "residual.json")
