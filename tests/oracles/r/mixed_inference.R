# Inference in linear mixed models: Kenward-Roger (singular fits, crossed effects, several columns at once), lmerTest's
# tests of several contrasts, profile intervals, likelihood ratios, boundary-avoiding penalties, marginal means and
# CR2 with three levels. Synthetic. Run from the root of the repository: Rscript tests/oracles/r/mixed_inference.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
suppressMessages({ library(blme); library(emmeans) })
set.seed(20263)
sizes <- c(S1 = 17, S2 = 23, S3 = 9, S4 = 31, S5 = 14, S6 = 20, S7 = 12, S8 = 1)
d <- data.frame(school = factor(rep(names(sizes), sizes)))
n <- nrow(d)
d$class <- factor(paste0(d$school, "c", 1 + (unlist(lapply(sizes, seq_len)) %% 3)))
d$primary <- factor(sprintf("p%02d", sample(11, n, TRUE)))
host <- d$school %in% c("S1", "S2", "S3", "S4")
d$arm <- factor(ifelse(host, ifelse(runif(n) < 0.35, "base", "host"), "other"), levels = c("host", "base", "other"))
d$sex <- factor(sample(c("F", "M"), n, TRUE))
d$x <- rnorm(n) + rnorm(8, 0, 0.4)[d$school]
line <- 0.3 + 0.4 * (d$arm == "base") + 0.6 * d$x - 0.2 * (d$sex == "M")
d$y <- line + rnorm(8, 0, 0.9)[d$school] + rnorm(8, 0, 0.4)[d$school] * d$x + rnorm(nlevels(d$class), 0, 0.4)[d$class] + rnorm(n)
e <- rnorm(n); e <- e - ave(e, d$school)
d$y_zero <- line + e                                      # schools differ by less than chance
d$y_cross <- line + rnorm(8, 0, 0.5)[d$school] + rnorm(11, 0, 0.6)[d$primary] + rnorm(n)
d <- d[sample(n), ]; rownames(d) <- NULL

# bobyqa stops at a zero on the diagonal of the factor now and then: the best of three starts is kept
fit <- function(f, reml = TRUE) suppressMessages(suppressWarnings({
  best <- eval(bquote(lmer(.(f), d, REML = .(reml), control = tight)))
  for (s in c(0.2, 3)) {
    other <- eval(bquote(lmer(.(f), d, REML = .(reml), control = tight, start = .(s * (getME(best, "lower") == 0) + 0.02))))
    if (as.numeric(logLik(other) - logLik(best)) > 1e-9) best <- other
  }
  best
}))
ftest <- function(m, L) {
  k <- KRmodcomp(m, L)$stats
  s <- contestMD(as_lmerModLmerTest(m), L, ddf = "Satterthwaite")
  list(L = mat(L), kr = list(F = k$Fstat, scaling = k$F.scaling, df_num = k$ndf, df = k$ddf, p = k$p.value),
       satterthwaite = if (isSingular(m)) NULL else list(F = s[["F value"]], df_num = s$NumDF, df = s$DenDF, p = s[["Pr(>F)"]]))
}
everything <- function(f) {
  m <- fit(f); p <- length(fixef(m)); arm <- grep("^arm", names(fixef(m)))
  c(fit_values(m), list(kenward_roger = kr_values(m), arm_test = ftest(m, diag(p)[arm, , drop = FALSE])),
    if (!isSingular(m)) list(satterthwaite = satt_values(m)))
}
formulas <- list(
  classes = y ~ arm + x + sex + (1 | school/class),
  slope = y ~ arm + x + sex + (x | school),
  uncorrelated = y ~ arm + x + sex + (x || school),
  slope_and_classes = y ~ arm + x + sex + (x | school) + (1 | class),
  singular = y_zero ~ arm + x + sex + (1 | school),
  singular_slope = y_zero ~ arm + x + sex + (x | school),
  singular_uncorrelated = y_zero ~ arm + x + sex + (x || school),
  singular_classes = y_zero ~ arm + x + sex + (1 | school/class),
  crossed = y_cross ~ arm + x + sex + (1 | school) + (1 | primary),
  singular_crossed = y_zero ~ arm + x + sex + (1 | school) + (1 | primary))
out <- list(versions = versions("lme4", "lmerTest", "pbkrtest", "clubSandwich", "blme", "emmeans", "jsonlite", "Matrix"),
            data = list(file = write_data(d, "mixed_inference.csv"), rows = n, arm_levels = vec(levels(d$arm)), sex_levels = vec(levels(d$sex))))
out$fits <- lapply(formulas, everything)

# ---- profile intervals: lme4 interpolates the profile, so they hold three or four digits ----------------------------------
intervals <- function(f) {
  m <- suppressMessages(eval(bquote(lmer(.(f), d, REML = FALSE))))
  k <- suppressWarnings(confint(m, method = "profile", oldNames = FALSE, quiet = TRUE))
  list(names = vec(rownames(k)), low = vec(k[, 1]), high = vec(k[, 2]))
}
# (not of `slope`, which is singular: lme4's profiles stop short there, inside ends that its own deviance allows)
out$profile <- lapply(formulas[c("classes", "uncorrelated", "crossed", "singular")], intervals)
sleep <- suppressMessages(lmer(Reaction ~ Days + (Days | Subject), sleepstudy, REML = FALSE))
k <- confint(sleep, method = "profile", oldNames = FALSE, quiet = TRUE)
out$profile$sleepstudy <- list(names = vec(rownames(k)), low = vec(k[, 1]), high = vec(k[, 2]))

# ---- likelihood ratios -------------------------------------------------------------------------------------------------
ratio <- function(small, large, reml = FALSE) {
  a <- fit(small, reml); b <- fit(large, reml)
  list(small = as.numeric(logLik(a)), large = as.numeric(logLik(b)), statistic = 2 * as.numeric(logLik(b) - logLik(a)),
       df = attr(logLik(b), "df") - attr(logLik(a), "df"))
}
out$ratios <- list(
  arm = c(ratio(y ~ x + sex + (1 | school), y ~ arm + x + sex + (1 | school)),
          list(p = anova(fit(y ~ x + sex + (1 | school), FALSE), fit(y ~ arm + x + sex + (1 | school), FALSE))[2, "Pr(>Chisq)"])),
  slope = ratio(y ~ arm + x + sex + (1 | school), y ~ arm + x + sex + (x | school), TRUE))

# ---- boundary-avoiding penalties ---------------------------------------------------------------------------------------
# by nlminb: with two effects blmer's bobyqa and nloptwrap stop far from the maximum of what they maximise
penalised <- function(f, prior) {
  to_the_end <- lmerControl(optimizer = "nlminbwrap", optCtrl = list(rel.tol = 1e-15, x.tol = 1e-12), calc.derivs = FALSE)
  m <- suppressMessages(suppressWarnings(eval(bquote(blmer(.(f), d, control = .(to_the_end), cov.prior = .(prior))))))
  list(theta = vec(getME(m, "theta")), sigma = sigma(m), beta = vec(fixef(m)), se = vec(sqrt(diag(as.matrix(vcov(m))))))
}
out$penalty <- list(
  default = penalised(formulas$singular, quote(wishart)), default_slope = penalised(formulas$singular_slope, quote(wishart)),
  gamma = penalised(formulas$singular, quote(gamma(shape = 2, rate = 0))),
  gamma_classes = penalised(formulas$singular_classes, quote(gamma(shape = 2, rate = 0))),
  wishart_slope = penalised(formulas$singular_slope, quote(wishart(df = level.dim + 2))))

# ---- CR2, clusters above the inner groups --------------------------------------------------------------------------------
out$robust <- lapply(formulas[c("classes", "slope_and_classes", "singular_classes")], function(f) { m <- fit(f); c(list(theta = vec(getME(m, "theta"))), cr_lmer(m, d$school)) })

# ---- marginal means ------------------------------------------------------------------------------------------------------
means <- function(m, weights, mode) {
  g <- emmeans(m, ~ arm, weights = weights, lmer.df = mode)
  a <- as.data.frame(summary(g, infer = TRUE)); b <- as.data.frame(summary(contrast(g, "revpairwise", adjust = "none"), infer = TRUE))
  list(L = mat(g@linfct), arm = vec(as.character(a$arm)), mean = vec(a$emmean), se = vec(a$SE), df = vec(a$df), low = vec(a$lower.CL), high = vec(a$upper.CL),
       pairs = list(contrast = vec(as.character(b$contrast)), estimate = vec(b$estimate), se = vec(b$SE), df = vec(b$df), t = vec(b$t.ratio), p = vec(b$p.value)))
}
m <- fit(y ~ arm * sex + x + (1 | school))
grid <- ref_grid(m)
out$means <- list(formula = deparse1(formula(m)), coef_names = vec(names(fixef(m))), grid = mat(grid@linfct), grid_arm = vec(as.character(grid@grid$arm)), grid_sex = vec(as.character(grid@grid$sex)))
for (w in c("equal", "proportional", "outer", "cells")) for (k in c("kenward-roger", "satterthwaite")) out$means[[w]][[k]] <- means(m, w, k)
write_values(out, "mixed_inference.json")
