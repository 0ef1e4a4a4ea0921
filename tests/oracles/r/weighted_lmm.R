# Mixed models with precision weights and very unequal groups, three of them of one row. Synthetic.
# Run from the root of the repository: Rscript tests/oracles/r/weighted_lmm.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
set.seed(20262)
n_g <- c(1, 1, 1, 2, 3, 4, 6, 8, 9, 12, 15, 19, 24); g <- factor(rep(sprintf("g%02d", seq_along(n_g)), n_g))[sample(sum(n_g))]
n <- length(g); k <- nlevels(g)
d <- data.frame(g = g, x = rnorm(n), z = rep(rbinom(k, 1, 0.5), length.out = k)[g], w = exp(runif(n, log(0.2), log(5))))
d$y <- 2 + 0.7 * d$x - 0.4 * d$z + rnorm(k, 0, 0.9)[g] + rnorm(k, 0, 0.5)[g] * d$x + rnorm(n) / sqrt(d$w)
d$z <- as.numeric(d$z); d$sw <- sqrt(d$w); d$ys <- d$sw * d$y; d$s_x <- d$sw * d$x; d$s_z <- d$sw * d$z
cases <- list(intercept = list(f = y ~ x + z + (1 | g), s = ys ~ 0 + sw + s_x + s_z + (0 + sw | g)),
              slope = list(f = y ~ x + z + (x | g), s = ys ~ 0 + sw + s_x + s_z + (0 + sw + s_x | g)))
out <- list(versions = versions("lme4", "lmerTest", "pbkrtest", "jsonlite", "Matrix"),
  data = list(file = write_data(d[, c("g", "x", "z", "y", "w")], "weighted_lmm.csv"), rows = n, group_sizes = as.list(setNames(n_g, levels(g)))),
  note = paste("var(e_i) = sigma^2 / w_i. logLik holds the term sum(log w)/2. Satterthwaite of the weighted fit is compared with that of the unweighted fit to the",
    "rows multiplied by sqrt(w), which is the same model (satterthwaite_check). Kenward-Roger (REML only) of the weighted model is taken from that fit:",
    "pbkrtest leaves the weights out of the covariance when given the weighted fit (kenward_roger_given_weighted_fit, not to be matched)."))
for (nm in names(cases)) for (wt in c(FALSE, TRUE)) {
  o <- list()
  for (r in c(TRUE, FALSE)) {
    m <- if (wt) lmer(cases[[nm]]$f, d, REML = r, weights = w, control = tight) else lmer(cases[[nm]]$f, d, REML = r, control = tight)
    q <- fit_values(m); if (!q$singular) q$satterthwaite <- satt_values(m)   # undefined on the boundary
    if (wt) {
      stopifnot(!q$singular)
      p <- lmer(cases[[nm]]$s, d, REML = r, control = tight); sp <- satt_values(p)
      stopifnot(rel(fixef(p), fixef(m)) < 1e-5, abs(as.numeric(logLik(p)) + sum(log(d$w)) / 2 - as.numeric(logLik(m))) < 1e-6)
      q$satterthwaite_check <- list(df = rel(sp$df, q$satterthwaite$df), df_prewhitened = sp$df)
      if (r) { q$kenward_roger <- kr_values(p); q$kenward_roger_given_weighted_fit <- tryCatch(kr_values(m)[c("se", "df")], error = function(e) conditionMessage(e)) }
    } else if (r) q$kenward_roger <- kr_values(m)
    o[[if (r) "REML" else "ML"]] <- q
  }
  out[[paste0(nm, if (wt) "_weighted" else "_unweighted")]] <- o
}
write_values(out, "weighted_lmm.json")
