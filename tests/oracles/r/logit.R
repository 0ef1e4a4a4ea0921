# Logistic regression on a rare outcome, with prior weights that are zero for some rows. Synthetic.
# Run from the root of the repository: Rscript tests/oracles/r/logit.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
set.seed(20263)
n <- 160
d <- data.frame(x1 = rnorm(n), x2 = factor(sample(c("no", "yes"), n, TRUE, c(0.7, 0.3))), x3 = factor(sample(c("a", "b", "c"), n, TRUE, c(0.5, 0.3, 0.2))))
d$y <- as.integer(runif(n) < plogis(-2.2 + 0.8 * d$x1 + 0.6 * (d$x2 == "yes") - 0.5 * (d$x3 == "b") + 0.7 * (d$x3 == "c")))
d$w <- exp(runif(n, log(0.2), log(4))); d$w[sample(n, 12)] <- 0
d$k <- as.integer(sample(0:4, n, TRUE))
fit <- function(wt) {
  p <- if (is.null(wt)) rep(1, n) else d[[wt]]
  d$p_ <- p
  m <- suppressWarnings(glm(y ~ x1 + x2 + x3, binomial, d, weights = p_, control = glm.control(epsilon = 1e-15, maxit = 100)))
  s <- summary(m)$coefficients; mu <- fitted(m)
  stopifnot(abs(coef(m)) < 6)                             # no separation
  score <- max(abs(crossprod(model.matrix(m), p * (d$y - mu)))); stopifnot(score < 1e-9)
  list(formula = "y ~ x1 + x2 + x3", weights = wt, n = n, n_used = sum(p > 0), coef_names = vec(names(coef(m))), beta = vec(coef(m)), beta17 = vec(g17(coef(m))),
       se = vec(s[, 2]), se17 = vec(g17(s[, 2])), z = vec(s[, 3]), p = vec(s[, 4]), vcov = mat(vcov(m)), deviance = m$deviance, null_deviance = m$null.deviance,
       df_residual = m$df.residual, weighted_logLik = sum(p * (d$y * log(mu) + (1 - d$y) * log1p(-mu))), largest_score = score, iterations = m$iter,
       fitted17 = vec(g17(mu)), linear_predictor17 = vec(g17(m$linear.predictors)))
}
out <- list(versions = versions("jsonlite"), data = list(file = write_data(d, "logit.csv"), rows = n, events = sum(d$y), zero_w = sum(d$w == 0), zero_k = sum(d$k == 0)),
  note = "se with dispersion 1; fitted17 and linear_predictor17 for every row, also of weight 0; R's logLik and AIC round non-integer weights and are left out",
  unweighted = fit(NULL), weighted = fit("w"), integer_weights = fit("k"))
write_values(out, "logit.json")
