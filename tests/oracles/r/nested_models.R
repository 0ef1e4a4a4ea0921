# Three levels: occasions in pupils in schools, uneven, some pupils seen once, one school of one pupil.
# Run from the root of the repository: Rscript tests/oracles/r/nested_models.R
f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
source(file.path(dirname(f), "common.R"))
set.seed(20260107)

schools <- 14
d <- do.call(rbind, lapply(seq_len(schools), function(s) {
  pupils <- if (s == 5) 1 else sample(3:11, 1)
  u <- rnorm(2, 0, c(0.5, 0.15))
  do.call(rbind, lapply(seq_len(pupils), function(i) {
    v <- rnorm(2, 0, c(0.8, 0.25)); prior <- rnorm(1)
    wave <- sort(sample(0:4, sample(1:5, 1, prob = c(1, 1, 2, 3, 3))))
    data.frame(school = sprintf("s%02d", (s * 5) %% schools + 1), pupil = sprintf("p%02d_%02d", s, i), wave = wave,
               prior = prior, arm = i %% 2,
               y = 20 + 0.6 * wave + 0.7 * prior + 0.3 * (i %% 2) * wave + u[1] + u[2] * wave + v[1] + v[2] * wave +
                 rnorm(length(wave), 0, 0.6))
  }))
}))
d$w <- round(exp(rnorm(nrow(d), 0, 0.6)), 3)
d$age <- d$wave + round(runif(nrow(d), -0.3, 0.3), 2)
write_data(d, "nested_models.csv")
d <- read.csv(file.path(here, "nested_models.csv"))

# columns: of Z by level, as the test builds them
models <- list(
  intercepts = y ~ wave + prior + (1 | school) + (1 | pupil),
  growth = y ~ wave + prior + wave:arm + (wave | school) + (wave | pupil),
  uncorrelated = y ~ wave + prior + (1 | school) + (wave || pupil),
  slope_between = y ~ wave + prior + (prior | school) + (1 | pupil),
  uneven_times = y ~ age + prior + (1 | school) + (age | pupil))
values <- list(versions = versions("lme4", "lmerTest", "pbkrtest"))
for (name in names(models)) for (weighted in c(FALSE, TRUE)) {
  key <- paste0(name, if (weighted) "_weighted" else "")
  values[[key]] <- lapply(c(REML = TRUE, ML = FALSE), function(reml) {
    m <- if (weighted) lmer(models[[name]], d, REML = reml, weights = w, control = tight)
         else lmer(models[[name]], d, REML = reml, control = tight)
    fit_values(m)
  })
}
write_values(values, "nested_models.json")
