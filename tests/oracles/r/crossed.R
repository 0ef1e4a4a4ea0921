# Primary schools crossed with secondary schools, pupils seen at waves, movers; slopes, precision weights, a variance at zero. Synthetic.
# Run from the root of the repository: Rscript tests/oracles/r/crossed.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
set.seed(20267)
P <- 160; n_primary <- 34; n_school <- 11; n_district <- 4
primary <- sample(n_primary, P, TRUE, prob = seq(1, 4, length.out = n_primary)); primary[1:2] <- c(n_primary + 1, n_primary + 2)   # two of one pupil
school <- ((primary - 1) %/% 3 + sample(0:2, P, TRUE)) %% n_school + 1
d <- do.call(rbind, lapply(seq_len(P), function(i) {
  waves <- sort(sample(0:3, sample(1:4, 1))); here <- rep(school[i], length(waves))
  if (i %% 10 == 0) here[waves >= 2] <- here[1] %% n_school + 1                                   # movers
  data.frame(pupil = i, primary = primary[i], school = here, wave = waves, x = rnorm(length(waves)), base = i %% 2)
}))
d$district <- (d$school - 1) %/% 3 + 1; n <- nrow(d)
up <- rnorm(P, 0, 0.6); vp <- rnorm(P, 0, 0.25); a <- rnorm(n_primary + 2, 0, 0.5); b <- rnorm(n_school, 0, 0.4); s <- rnorm(n_school, 0, 0.3)
d$w <- exp(runif(n, log(0.3), log(3)))
d$y <- 100 + 0.5 * d$x + 0.4 * d$wave + 0.2 * d$wave * d$base + up[d$pupil] + vp[d$pupil] * d$wave + a[d$primary] + b[d$school] + s[d$school] * d$x + rnorm(n) / sqrt(d$w)
d <- d[sample(n), ]; rownames(d) <- NULL
d$pupil <- factor(sprintf("p%03d", d$pupil)); d$primary <- factor(sprintf("q%02d", d$primary)); d$school <- factor(sprintf("s%02d", d$school)); d$district <- factor(sprintf("d%d", d$district))
d$wave <- as.integer(d$wave); d$base <- as.integer(d$base)
cases <- list(
  intercepts = y ~ x + wave * base + (1 | primary) + (1 | school),
  slope = y ~ x + wave * base + (1 | primary) + (x | school),
  independent_slope = y ~ x + wave * base + (1 | primary) + (1 | school) + (0 + x | school),
  movers = y ~ x + wave * base + (1 | pupil) + (1 | school),
  growth = y ~ x + wave * base + (wave | pupil) + (1 | primary) + (x | school),
  four = y ~ x + wave * base + (1 | pupil) + (1 | primary) + (1 | school) + (1 | district))
out <- list(versions = versions("lme4", "lmerTest", "pbkrtest", "jsonlite", "Matrix"),
  data = list(file = write_data(d[, c("pupil", "primary", "school", "district", "wave", "x", "base", "w", "y")], "crossed.csv"), rows = n),
  note = "kenward_roger is of the unweighted REML fit only: pbkrtest leaves precision weights out.")
for (nm in names(cases)) for (wt in c(FALSE, TRUE)) {
  o <- list()
  for (r in c(TRUE, FALSE)) {
    m <- if (wt) lmer(cases[[nm]], d, REML = r, weights = w, control = tight) else lmer(cases[[nm]], d, REML = r, control = tight)
    q <- fit_values(m)
    if (r && !q$singular) q$satterthwaite <- satt_values(m)
    if (r && !wt && !q$singular) q$kenward_roger <- kr_values(m)
    o[[if (r) "REML" else "ML"]] <- q
    cat(nm, wt, r, q$singular, as.numeric(logLik(m)), "\n")
  }
  out[[paste0(nm, if (wt) "_weighted" else "")]] <- o
}
write_values(out, "crossed.json")
