# Three arms in seven schools: five hosts with pupils of both base and mainstream, two schools without a base.
# Synthetic. Run from the root of the repository: Rscript tests/oracles/r/three_arms.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
set.seed(20260)
n_base <- c(H1 = 4, H2 = 7, H3 = 12, H4 = 5, H5 = 9)
n_host <- c(H1 = 18, H2 = 24, H3 = 9, H4 = 30, H5 = 14)
n_non <- c(N1 = 30, N2 = 18)
d <- rbind(data.frame(school = rep(names(n_base), n_base), arm = "base"),
           data.frame(school = rep(names(n_host), n_host), arm = "host_mainstream"),
           data.frame(school = rep(names(n_non), n_non), arm = "non_host"))
d <- d[sample(nrow(d)), ]; rownames(d) <- NULL
d$pupil <- sprintf("p%03d", seq_len(nrow(d)))
arms <- c("host_mainstream", "base", "non_host")
d$school <- factor(d$school); d$arm <- factor(d$arm, levels = arms)
n <- nrow(d)
cell <- interaction(d$school, d$arm, drop = TRUE)
d$x1 <- rnorm(n) - 0.6 * (d$arm == "base") + rnorm(7, 0, 0.4)[d$school]
d$x2 <- factor(ifelse(runif(n) < ifelse(d$arm == "base", 0.6, 0.35), "yes", "no"), levels = c("no", "yes"))
d$y <- 0.4 + 0.35 * (d$arm == "base") - 0.1 * (d$arm == "non_host") + 0.5 * d$x1 - 0.3 * (d$x2 == "yes") +
  rnorm(7, 0, 0.6)[d$school] + rnorm(nlevels(cell), 0, 0.45)[cell] + rnorm(n)
d$w <- exp(runif(n, log(0.3), log(3))); d$w[sample(n, 11)] <- 0
d <- d[, c("pupil", "school", "arm", "x1", "x2", "y", "w")]
two <- droplevels(d[d$arm != "non_host", ]); two$base <- as.numeric(two$arm == "base")
out <- list(versions = versions("lme4", "lmerTest", "pbkrtest", "clubSandwich", "nlme", "jsonlite", "Matrix"),
            data = list(file = write_data(d, "three_arms.csv"), rows = n, arm_levels = vec(arms), x2_levels = vec(c("no", "yes")),
                        two_arm_subset = "rows with arm != non_host; base = 1 if arm is base else 0",
                        zero_weights = sum(d$w == 0)))

# a. three arms ------------------------------------------------------------------------------
f3 <- y ~ arm + x1 + x2 + (1 | school) + (1 | school:arm)
contrast <- function(m, d, V_hand_L) {          # base - non_host, by another reference level and by L
  r <- update(m, data = transform(d, arm = relevel(arm, "non_host"))); k <- list()
  for (ty in types) {
    c1 <- coef_test(r, vcov = vcovCR(r, cluster = d$school, type = ty), test = "Satterthwaite")["armbase", ]
    c2 <- linear_contrast(m, vcovCR(m, cluster = d$school, type = ty), matrix(V_hand_L, 1), p_values = TRUE)
    h <- by_hand_lmer(m, d$school, ty, L = matrix(V_hand_L, 1))
    stopifnot(rel(c1$SE, c2$SE) < 1e-5, rel(c1$df_Satt, c2$df) < 1e-5, rel(h$df, c2$df) < 1e-6)
    k[[ty]] <- list(se = c2$SE, df = c2$df, t = c2$Est / c2$SE, p = c2$p_val,
                    refitted = list(estimate = c1$beta, se = c1$SE, df = c1$df_Satt, p = c1$p_Satt))
  }
  L <- matrix(V_hand_L, 1)
  c(list(contrast = "base - non_host", L = vec(V_hand_L), estimate = sum(V_hand_L * fixef(m)),
         se_model = sqrt(as.numeric(L %*% as.matrix(vcov(m)) %*% t(L)))), k)
}
mixed3 <- function(reml) {
  m <- lmer(f3, d, REML = reml, control = tight)
  V2 <- vcovCR(m, cluster = d$school, type = "CR2")
  c(fit_values(m), list(satterthwaite = satt_values(m)), if (reml) list(kenward_roger = kr_values(m)),
    list(robust = cr_lmer(m, d$school), base_minus_non_host = contrast(m, d, c(0, 1, -1, 0, 0)),
         wald_arm_CR2 = wald_HTZ(m, V2, 2:3)))
}
nested <- lmer(y ~ arm + x1 + x2 + (1 | school/arm), d, control = tight)
m3 <- lmer(f3, d, control = tight)
out$three_arm <- list(REML = mixed3(TRUE), ML = mixed3(FALSE),
  notes = list(refusal_by_clubSandwich = said(vcovCR(m3, cluster = d$school, type = "CR2")),
    same_as_nested = list(beta = rel(fixef(nested), fixef(m3)), CR2_se = rel(
      diag(vcovCR(nested, cluster = d$school, type = "CR2")), diag(vcovCR(m3, cluster = d$school, type = "CR2"))))))

# b. two arms --------------------------------------------------------------------------------
f2 <- y ~ base + x1 + x2 + (1 | school) + (1 | school:arm)
mixed2 <- function(reml) {
  m <- lmer(f2, two, REML = reml, control = tight)
  c(fit_values(m), list(satterthwaite = satt_values(m)), if (reml) list(kenward_roger = kr_values(m)), list(robust = cr_lmer(m, two$school)))
}
out$two_arm <- list(REML = mixed2(TRUE), ML = mixed2(FALSE))

# c. two arms, precision weights ---------------------------------------------------------------
tw <- droplevels(two[two$w > 0, ]); tw$vinv <- 1 / tw$w; tw$sw <- sqrt(tw$w)
tw$cell <- factor(as.character(tw$arm))
plain_target <- getFromNamespace("targetVariance.lmerMod", "clubSandwich")
use_target <- function(f) {
  ns <- asNamespace("clubSandwich"); environment(f) <- if (identical(f, plain_target)) ns else globalenv()
  get("unlockBinding", baseenv())("targetVariance.lmerMod", ns); assign("targetVariance.lmerMod", f, ns)
}
weighted_target <- function(obj, cluster) {
  T <- theta_matrix(obj); i <- split(seq_len(nrow(T)), droplevels(factor(cluster)))
  lapply(i, function(k) T[k, k, drop = FALSE])
}
mixed_w <- function(reml) {
  m <- lmer(f2, tw, REML = reml, weights = w, control = tight)
  refusal <- said(vcovCR(m, cluster = tw$school, type = "CR2"))
  # clubSandwich's own code with the working covariance Z Lambda Lambda' Z' + diag(1/w)
  bare <- m; bare@call$weights <- NULL
  wrong <- sqrt(diag(as.matrix(vcovCR(bare, cluster = tw$school, type = "CR2"))))
  use_target(weighted_target)
  robust <- cr_lmer(bare, tw$school)
  use_target(plain_target)
  # nlme's fit of the same model, which clubSandwich does take. The inner factor's levels must be in
  # alphabetical order here: in another order clubSandwich gives the rows each other's weights.
  l <- lme(y ~ base + x1 + x2, random = ~ 1 | school/cell, weights = varFixed(~ vinv), data = tw, method = if (reml) "REML" else "ML",
           control = lmeControl(tolerance = 1e-12, msTol = 1e-12, msMaxIter = 500, maxIter = 500, opt = "nlminb"))
  V <- vcovCR(l, cluster = tw$school, type = "CR2"); k <- coef_test(l, vcov = V, test = "Satterthwaite")
  # the same likelihood without weights: everything multiplied by sqrt(w)
  Xs <- tw$sw * model.matrix(~ base + x1 + x2, tw); colnames(Xs) <- c("i", "base", "x1", "x2")
  ps <- cbind(data.frame(ys = tw$sw * tw$y, school = tw$school, arm = tw$arm, sw = tw$sw), setNames(as.data.frame(Xs), paste0("s_", colnames(Xs))))
  pw <- lmer(ys ~ 0 + s_i + s_base + s_x1 + s_x2 + (0 + sw | school) + (0 + sw | school:arm), ps, REML = reml, control = tight)
  kp <- coef_test(pw, vcov = vcovCR(pw, cluster = ps$school, type = "CR2"), test = "Satterthwaite")
  stopifnot(rel(fixef(pw), fixef(m)) < 1e-5, rel(k$SE, robust$CR2$se) < 1e-4, rel(k$df_Satt, robust$CR2$df) < 1e-4)
  c(fit_values(m), list(satterthwaite = satt_values(m)), if (reml) list(kenward_roger_of_prewhitened = kr_values(pw)),
    list(robust = robust, clubSandwich_refusal = refusal,
      nlme_CR2 = list(note = "clubSandwich on nlme::lme(random = ~1|school/arm, weights = varFixed(~1/w)); nlme's optimum, so a few digits fewer",
        beta = vec(k$beta), se = vec(k$SE), df = vec(k$df_Satt), p = vec(k$p_Satt), logLik = as.numeric(logLik(l))),
      prewhitened_CR2 = list(note = "clubSandwich on the rows multiplied by sqrt(w): same fit, another square root in CR2, so another (not wrong) CR2",
        beta = vec(kp$beta), se = vec(kp$SE), df = vec(kp$df_Satt), p = vec(kp$p_Satt),
        logLik_plus_half_sum_log_w = as.numeric(logLik(pw)) + sum(log(tw$w)) / 2),
      weights_ignored_CR2_se = vec(wrong)))
}
out$two_arm_weighted <- list(rows = nrow(tw), rule = "two-arm subset, rows with w == 0 left out, weights = w",
  note = paste("clubSandwich refuses lmer fits with prior weights (see clubSandwich_refusal). `robust` is its own code run with the working",
    "covariance Z Lambda Lambda' Z' + diag(1/w), agreeing with the hand computation (hand_check) and with clubSandwich on nlme's fit (nlme_CR2).",
    "weights_ignored_CR2_se is what follows if the refusal is got round without telling clubSandwich of the weights: wrong, never to be matched."),
  REML = mixed_w(TRUE), ML = mixed_w(FALSE))

# d. lm ----------------------------------------------------------------------------------------
fl <- y ~ arm + x1 + x2
u <- lm(fl, d); v <- lm(fl, d, weights = w)
drop0 <- d[d$w > 0, ]; v0 <- lm(fl, drop0, weights = w)
cv <- cr_lm(v, d$school); cv0 <- cr_lm(v0, drop0$school)
out$lm <- list(unweighted = c(lm_values(u), list(robust = cr_lm(u, d$school), wald_arm_CR2 = wald_HTZ(u, vcovCR(u, cluster = d$school, type = "CR2"), 2:3))),
  weighted = c(lm_values(v), list(
    note = "weights = w with the zeros; working model homoskedastic (Theta = I), clubSandwich's default for lm with weights",
    robust = cv, robust_precision_note = "working model Theta = 1/w, given as target = mean(w)/w over w > 0, inverse_var = TRUE",
    robust_precision = cr_lm(v, d$school, precision = TRUE),
    zeros_dropped_before = list(se = rel(cv0$CR2$se, cv$CR2$se), df = rel(cv0$CR2$df, cv$CR2$df)),
    linear_contrast_says = said(linear_contrast(v, vcovCR(v, cluster = d$school, type = "CR2"), matrix(c(0, 1, -1, 0, 0), 1))),
    unscaled_target_df = vec(coef_test(v, vcov = vcovCR(v, cluster = d$school, type = "CR2", target = 1 / d$w, inverse_var = TRUE), test = "Satterthwaite")$df_Satt),
    unscaled_target_note = "df by target = 1/w without the factor mean(w): clubSandwich scales W but not the target, so these df are wrong")))
for (k in c("unweighted", "weighted")) {
  r <- lm(fl, transform(d, arm = relevel(arm, "non_host")), weights = if (k == "weighted") d$w else NULL)
  o <- list(contrast = "base - non_host")
  for (ty in types) { c1 <- coef_test(r, vcov = vcovCR(r, cluster = d$school, type = ty), test = "Satterthwaite")["armbase", ]
    o$estimate <- c1$beta; o[[ty]] <- list(se = c1$SE, df = c1$df_Satt, p = c1$p_Satt) }
  out$lm[[k]]$base_minus_non_host <- o
}

# e. edges -------------------------------------------------------------------------------------
e <- d[!(d$school == "H5" & d$arm == "base"), ]                     # a host without base pupils: arm constant
e <- e[!(e$school == "N2" & seq_len(nrow(e)) != which(e$school == "N2" & e$w > 0)[1]), ]   # N2: a single pupil
e$x3 <- 2 * e$x1
e$x4 <- factor(ifelse(e$school == "H3" & e$x1 > 0, "only_H3", ifelse(e$x1 + rep_len(c(-1, 1), nrow(e)) > 0, "b", "a")), levels = c("a", "b", "only_H3"))
rownames(e) <- NULL
stopifnot(sum(e$school == "N2") == 1, nlevels(droplevels(e$arm[e$school == "H5"])) == 1, unique(e$school[e$x4 == "only_H3"]) == "H3")
edge <- function(f, must = 1e-6, w = FALSE) {
  m <- if (w) lm(f, transform(e, .w = w_), weights = w_) else lm(f, e)
  c(lm_values(m), list(robust = cr_lm(m, e$school, must = must)))
}
e$w_ <- e$w
out$edges <- list(data = list(file = write_data(e[, c("pupil", "school", "arm", "x1", "x2", "x3", "x4", "y", "w")], "three_arms_edges.csv"), rows = nrow(e),
    what = "H5 has one arm only; N2 one pupil; x3 = 2*x1; x4 has a level seen in H3 only", x4_levels = vec(levels(e$x4))),
  collinear = edge(y ~ arm + x1 + x3 + x2), collinear_weighted = edge(y ~ arm + x1 + x3 + x2, w = TRUE),
  rare_level = edge(y ~ arm + x1 + x4), rare_level_weighted = edge(y ~ arm + x1 + x4, w = TRUE),
  school_effects = c(list(note = paste("a mean for each school, so two school terms are aliased with arm; each school's CR2 matrix is singular and its",
    "inverse root is taken with eigenvalues up to 1e-12 counted as 0; N2's one pupil has a residual of 0")), edge(y ~ arm + x1 + x2 + school)))
me <- lmer(y ~ arm + x1 + x3 + x4 + (1 | school) + (1 | school:arm), e, control = tight)
out$edges$mixed <- c(fit_values(me), list(dropped = vec(setdiff(colnames(model.matrix(~ arm + x1 + x3 + x4, e)), names(fixef(me)))), robust = cr_lmer(me, e$school)))
write_values(out, "three_arms.json")
