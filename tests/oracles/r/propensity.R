# Chances of three arms and of two, by likelihood, by Firth's bias reduction and with an intercept for each school.
# Synthetic. Run from the root of the repository: Rscript tests/oracles/r/propensity.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
suppressMessages({ library(nnet); library(brglm2) })
set.seed(20266)
n <- 240; schools <- 20
d <- data.frame(school = factor(sprintf("s%02d", sample(schools, n, TRUE, runif(schools, 0.2, 2)))), x1 = rnorm(n), x2 = factor(sample(c("no", "yes"), n, TRUE, c(0.7, 0.3))),
                x3 = factor(sample(c("a", "b", "c"), n, TRUE, c(0.5, 0.3, 0.2))))
u <- rnorm(schools, 0, 0.9)[d$school]
eta <- cbind(0, -1.6 + 0.7 * d$x1 + 0.5 * (d$x2 == "yes") + u, 0.3 - 0.4 * d$x1 + 0.6 * (d$x3 == "c"))
d$arm <- apply(eta, 1, function(e) sample(0:2, 1, prob = exp(e)))
d$y <- as.integer(d$arm == 1)
d$flat <- as.integer(runif(n) < plogis(-0.4 + 0.5 * d$x1))                    # schools make no difference
for (s in levels(d$school)) { i <- which(d$school == s); d$flat[i] <- sample(rep_len(0:1, length(i))) }   # and less than chance would
d$only2 <- as.integer(d$arm == 2 & runif(n) < 0.12)                            # nobody of the other arms: quasi-complete separation
d$w <- exp(runif(n, log(0.2), log(4))); d$w[sample(n, 15)] <- 0
d$k <- as.integer(sample(0:3, n, TRUE))
f <- arm ~ x1 + x2 + x3
d$arm <- factor(d$arm)
weight <- function(name) if (is.null(name)) rep(1, n) else d[[name]]
used <- function(name) { e <- d[weight(name) > 0, ]; e$p_ <- weight(name)[weight(name) > 0]; e }

# nnet's optimiser stops early whatever its tolerance; brglm2's, without bias reduction, does not
several <- function(type, formula, wt) {
  e <- used(wt)
  m <- brmultinom(formula, data = e, weights = p_, ref = 1, type = type, epsilon = 1e-10, maxit = 100)
  b <- coef(m); v <- vcov(m)                            # arm by arm
  X <- model.matrix(formula, e); odds <- exp(cbind(0, X %*% t(b))); p <- odds / rowSums(odds)
  ll <- sum(e$p_ * log(p[cbind(seq_len(nrow(e)), as.integer(e$arm))]))
  o <- list(formula = deparse1(formula), weights = wt, type = type, coef_names = vec(colnames(b)), beta = mat(b), beta17 = lapply(1:2, function(i) vec(g17(b[i, ]))),
            vcov_names = vec(colnames(v)), vcov = mat(v), weighted_logLik = ll, se = vec(sqrt(diag(v))))
  if (type == "ML") {
    nn <- multinom(formula, data = e, weights = p_, trace = FALSE, abstol = 1e-300, reltol = 1e-16, maxit = 1e5, Hess = TRUE)
    o$nnet <- list(beta = mat(coef(nn)), deviance = nn$deviance, vcov = mat(vcov(nn)))
    stopifnot(abs(nn$deviance + 2 * ll) < 1e-8)
  }
  o
}
two <- function(formula, wt) {
  m <- suppressWarnings(glm(formula, binomial, used(wt), weights = p_, method = "brglmFit", type = "AS_mean", epsilon = 1e-13, maxit = 5000))
  list(formula = deparse1(formula), weights = wt, coef_names = vec(names(coef(m))), beta17 = vec(g17(coef(m))), vcov = mat(vcov(m)), fitted17 = vec(g17(fitted(m))))
}
random <- function(formula, wt) {
  e <- used(wt)
  m <- suppressWarnings(glmer(formula, e, binomial, weights = p_, nAGQ = 1,
    control = glmerControl("bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-13, calc.derivs = TRUE)))
  r <- ranef(m)$school
  list(formula = deparse1(formula), weights = wt, coef_names = vec(names(fixef(m))), beta17 = vec(g17(fixef(m))), se = vec(sqrt(diag(as.matrix(vcov(m))))), sd17 = g17(getME(m, "theta")[[1]]),
       logLik = as.numeric(logLik(m)), schools = vec(rownames(r)), effects17 = vec(g17(r[, 1])), fitted17 = vec(g17(fitted(m))), singular = isSingular(m, tol = 1e-4))
}
out <- list(versions = versions("nnet", "brglm2", "lme4", "jsonlite"), data = list(file = write_data(d, "propensity.csv"), rows = n, arms = vec(table(d$arm)), zero_w = sum(d$w == 0)),
  note = "rows of weight 0 are left out of the fits; vcov arm by arm in the order of vcov_names; weights of the Firth fits count rows; glmer rounds weights that are not whole, so there is none of those",
  likelihood = list(unweighted = several("ML", f, NULL), weighted = several("ML", f, "w"), integer_weights = several("ML", f, "k")),
  firth = list(unweighted = several("AS_mean", f, NULL), weighted = several("AS_mean", f, "w"), separated = several("AS_mean", update(f, . ~ . + only2), NULL)),
  firth_two = list(unweighted = two(y ~ x1 + x2 + x3, NULL), weighted = two(y ~ x1 + x2 + x3, "w"), separated = two(y ~ x1 + x2 + x3 + only2, NULL)),
  random = list(unweighted = random(y ~ x1 + x2 + x3 + (1 | school), NULL), integer_weights = random(y ~ x1 + x2 + x3 + (1 | school), "k"),
                zero_variance = random(flat ~ x1 + x2 + x3 + (1 | school), NULL)))
write_values(out, "propensity.json")
