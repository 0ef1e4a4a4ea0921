# Fits on the edge of the parameter space, and a random slope uncorrelated with the intercept. Synthetic.
# Run from the root of the repository: Rscript tests/oracles/r/singular.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
set.seed(20261)
n_g <- c(3, 5, 6, 8, 9, 11, 12, 14, 4, 7); g <- factor(rep(sprintf("g%02d", seq_along(n_g)), n_g))[sample(sum(n_g))]
n <- length(g); x <- rnorm(n); k <- nlevels(g)
noise <- function(s) rnorm(n, 0, s)
# 1. the groups differ by less than chance: their mean errors are taken out
e <- noise(1); e <- e - ave(e, g)
# 2. slope tied to the intercept, and 3. slopes alike, 4. both varying freely
u <- rnorm(k, 0, 1); v <- rnorm(k, 0, 0.6)
tied <- NULL                                  # noise drawn until both criteria put L22 at exactly 0
for (i in 1:200) {
  tied <- 1 + 0.5 * x + u[g] + 0.5 * u[g] * x + noise(1.4)
  th <- sapply(c(TRUE, FALSE), function(r) getME(suppressMessages(lmer(tied ~ x + (x | g), REML = r, control = tight)), "theta"))
  if (all(th[3, ] == 0) && all(th[1:2, ] > 0.1)) break
}
d <- data.frame(g = g, x = x, y_intercept0 = 1 + 0.5 * x + e,
  y_tied = tied,
  y_slope0 = 1 + 0.5 * x + 0.9 * u[g] + { s <- noise(1); for (h in levels(g)) { i <- g == h; s[i] <- s[i] - (x[i] - mean(x[i])) * cov(x[i], s[i]) / var(x[i]) }; s },
  y_free = 1 + 0.5 * x + u[g] + v[g] * x + noise(1))
both <- function(f, cr = FALSE) {
  o <- list()
  for (r in c(TRUE, FALSE)) { m <- suppressMessages(lmer(f, d, REML = r, control = tight))
    o[[if (r) "REML" else "ML"]] <- c(fit_values(m), if (cr) list(robust = cr_lmer(m, d$g))) }
  o
}
out <- list(versions = versions("lme4", "clubSandwich", "jsonlite", "Matrix"), data = list(file = write_data(d, "singular.csv"), rows = n, cluster = "g"),
  note = "a theta below 1e-7 is 0 up to the optimiser: bobyqa stops beside the bound now and then",
  theta_order = "lower triangle by column: L11, L21, L22 for (x|g); the two standard deviation ratios, in theta_names' order, for (x||g)",
  intercept_zero = both(y_intercept0 ~ x + (1 | g), cr = TRUE),
  slope_tied = both(y_tied ~ x + (x | g), cr = TRUE),
  slope_zero_uncorrelated = both(y_slope0 ~ x + (x || g), cr = TRUE),
  slope_zero_correlated = both(y_slope0 ~ x + (x | g)),
  free_correlated = both(y_free ~ x + (x | g), cr = TRUE),
  free_uncorrelated = both(y_free ~ x + (x || g), cr = TRUE))
stopifnot(out$intercept_zero$REML$theta == 0, out$intercept_zero$ML$theta == 0, out$slope_tied$REML$theta[3] == 0, out$slope_tied$ML$theta[3] == 0)
write_values(out, "singular.json")
