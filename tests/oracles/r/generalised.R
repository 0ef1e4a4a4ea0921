# Generalised linear mixed models of synthetic pupils: lme4, glmmTMB and ordinal.
# Run from the root of the repository: Rscript tests/oracles/r/generalised.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
suppressMessages({ library(glmmTMB); library(ordinal) })
set.seed(20267)
n <- 3000; schools <- 60; primaries <- 25
# Uneven schools: three of one pupil, the largest of about two hundred.
share <- rexp(schools - 3)^1.3 + 0.1
school <- c(1:3, 3 + sample(schools - 3, n - 3, TRUE, share))
d <- data.frame(school = as.integer(factor(school)), primary = sample(primaries, n, TRUE))
d$pupil <- seq_len(n)
d$prior <- round(rnorm(n), 2)
d$arm <- as.integer(runif(n) < plogis(-0.3 + 0.5 * d$prior))
k <- max(d$school); a <- rnorm(k, 0, 0.7); b <- rnorm(k, 0, 0.4); h <- rnorm(primaries, 0, 0.5)
d$met <- as.integer(runif(n) < plogis(-0.4 + 0.5 * d$arm + 0.7 * d$prior + a[d$school] + b[d$school] * d$prior + h[d$primary]))
d$possible <- sample(30:76, n, TRUE)
d$attended <- rbinom(n, d$possible, plogis(2.2 + 0.3 * d$arm + 0.2 * d$prior + 0.5 * a[d$school] + 0.5 * b[d$school] * d$arm + rnorm(n, 0, 0.6)))
mu <- plogis(1.8 + 0.3 * d$arm + 0.2 * d$prior + 0.5 * a[d$school]); phi <- 12
d$present <- rbinom(n, d$possible, rbeta(n, mu * phi, (1 - mu) * phi))
d$events <- rnbinom(n, size = 1.7, mu = exp(0.2 - 0.4 * d$arm + 0.3 * d$prior + 0.6 * a[d$school]))
d$mood <- 1L + findInterval(0.6 * d$arm + 0.4 * d$prior + a[d$school] + rlogis(n), c(-1.5, 0, 1.8))

control <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-13)
random <- function(v) lapply(v, function(s) mat(as.matrix(s)))
glmer_values <- function(formula, data, family = binomial, nAGQ = 1) {
  m <- glmer(formula, data, family, nAGQ = nAGQ, control = control)
  if (nAGQ > 1) ll <- as.numeric(logLik(m)) + saturated(m) else ll <- as.numeric(logLik(m))
  list(software = "lme4", formula = deparse1(formula), quadrature = nAGQ, coef_names = vec(names(fixef(m))), beta = vec(fixef(m)),
       se = vec(sqrt(diag(as.matrix(vcov(m, use.hessian = TRUE))))), theta = vec(getME(m, "theta")), logLik = ll,
       modes = lapply(ranef(m, condVar = FALSE), function(r) mat(as.matrix(r))), singular = isSingular(m))
}
# With quadrature glmer leaves out the log-likelihood of the saturated model.
saturated <- function(m) {
  y <- model.response(model.frame(m))
  if (is.matrix(y)) sum(dbinom(y[, 1], rowSums(y), y[, 1] / rowSums(y), log = TRUE))
  else if (family(m)$family == "poisson") sum(dpois(y, y, log = TRUE)) else 0
}
tmb_values <- function(formula, data, family, start = NULL) {
  m <- glmmTMB(formula, data, family, start = start, control = glmmTMBControl(optimizer = optim, optArgs = list(method = "BFGS"), optCtrl = list(reltol = 1e-15, maxit = 2000)))
  list(software = "glmmTMB", formula = deparse1(formula), quadrature = 1, coef_names = vec(names(fixef(m)$cond)), beta = vec(fixef(m)$cond),
       se = vec(sqrt(diag(vcov(m)$cond))), covariance = random(VarCorr(m)$cond), dispersion = sigma(m), logLik = as.numeric(logLik(m)),
       largest_gradient = max(abs(m$obj$gr(m$fit$par))))
}
# A tighter tolerance makes the Hessian of clmm worse, by up to 1%: its defaults are kept.
clmm_values <- function(formula, data, nAGQ = 1) {
  m <- clmm(formula, data = data, nAGQ = nAGQ, Hess = TRUE)
  list(software = "ordinal", formula = deparse1(formula), quadrature = nAGQ, coef_names = vec(names(m$beta)), beta = vec(m$beta), thresholds = vec(m$alpha),
       se = vec(sqrt(diag(vcov(m)))[c(names(m$beta))]), se_thresholds = vec(sqrt(diag(vcov(m)))[names(m$alpha)]),
       sd = vec(unlist(m$ST)), logLik = as.numeric(logLik(m)), largest_gradient = max(abs(m$gradient)))
}
small <- d[d$school %in% sort(unique(d$school))[1:20], ][1:600, ]; small <- small[!is.na(small$school), ]
d$mood_ <- factor(d$mood, ordered = TRUE)
o <- list()
add <- function(name, expr) { s <- proc.time()[[3]]; o[[name]] <<- force(expr); cat(name, proc.time()[[3]] - s, "\n") }
add("binary", glmer_values(met ~ arm + prior + (1 | school), d))
add("binary_9", glmer_values(met ~ arm + prior + (1 | school), d, nAGQ = 9))
add("binary_slope", glmer_values(met ~ arm + prior + (1 + prior | school), d))
add("binary_independent", glmer_values(met ~ arm + prior + (1 + prior || school), d))
add("binary_probit", glmer_values(met ~ arm + prior + (1 | school), d, binomial("probit"), nAGQ = 25))
add("binary_crossed", glmer_values(met ~ arm + prior + (1 | school) + (1 | primary), d))
add("binomial_slope", glmer_values(cbind(attended, possible - attended) ~ arm + prior + (1 + arm | school), d))
add("binomial_pupil", glmer_values(cbind(attended, possible - attended) ~ arm + prior + (1 | school) + (1 | pupil), small))
add("poisson", glmer_values(events ~ arm + prior + (1 | school), d, poisson))
add("poisson_9", glmer_values(events ~ arm + prior + (1 | school), d, poisson, nAGQ = 9))
add("negative_binomial", tmb_values(events ~ arm + prior + (1 | school), d, nbinom2))
add("negative_binomial_slope", tmb_values(events ~ arm + prior + (1 + arm | school), d, nbinom2))
add("beta_binomial", tmb_values(cbind(present, possible - present) ~ arm + prior + (1 | school), d, betabinomial))
add("log_binomial", tmb_values(cbind(attended, possible - attended) ~ arm + prior + (1 | school), d, binomial("log"), list(beta = c(-0.2, 0, 0))))
add("binary_crossed_tmb", tmb_values(met ~ arm + prior + (1 + arm | school) + (1 | primary), d, binomial))
# At its default tolerance glmer stops 2.8e-4 below this maximum, with a Hessian that is off by 1%.
add("cbpp", glmer_values(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp))
add("ordinal", clmm_values(mood_ ~ arm + prior + (1 | school), d))
add("ordinal_9", clmm_values(mood_ ~ arm + prior + (1 | school), d, nAGQ = 9))
add("wine", clmm_values(rating ~ temp + contact + (1 | judge), wine))
add("wine_10", clmm_values(rating ~ temp + contact + (1 | judge), wine, nAGQ = 10))
o$wine_data <- list(rating = vec(as.integer(wine$rating)), warm = vec(as.integer(wine$temp == "warm")), yes = vec(as.integer(wine$contact == "yes")), judge = vec(as.integer(wine$judge)))
d$mood_ <- NULL
write_values(c(list(versions = versions("lme4", "glmmTMB", "ordinal", "jsonlite"), data = list(file = write_data(d, "generalised.csv"), rows = n),
  note = "small: the first 600 rows in the first 20 schools, used by binomial_pupil; log-likelihoods hold every constant", small_pupils = vec(small$pupil)), o), "generalised.json")
