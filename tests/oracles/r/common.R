# Shared by the scripts of this folder: where to write, how to write, how to fit, and a second,
# independent computation of CR0/CR1/CR2 that every clubSandwich value is compared with.
suppressMessages({
  library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich); library(nlme); library(jsonlite)
})
lmer <- lme4::lmer
RNGkind("Mersenne-Twister", "Inversion", "Rejection")

here <- local({
  f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(f) == 1) dirname(f) else file.path("tests", "oracles", "r")
})

versions <- function(...) {
  p <- c(...)
  c(list(R = R.version.string), setNames(lapply(p, function(x) as.character(packageVersion(x))), p))
}

g17 <- function(x) ifelse(is.na(x), "", sprintf("%.17g", x))

# 17 digits hold a double exactly. The file is read back and must give the same doubles, so a
# reader in any language fits the very numbers R fitted.
write_data <- function(d, name) {
  o <- d
  for (v in names(o)) o[[v]] <- if (is.double(o[[v]])) g17(o[[v]]) else as.character(o[[v]])
  f <- file.path(here, name)
  write.table(o, f, sep = ",", row.names = FALSE, col.names = TRUE, quote = FALSE, eol = "\n")
  b <- read.csv(f)
  for (v in names(d)) if (is.double(d[[v]])) stopifnot(max(abs(b[[v]] - d[[v]])) <= 4e-16 * max(abs(d[[v]])))
  name
}

write_values <- function(o, name)
  write_json(o, file.path(here, name), digits = NA, auto_unbox = TRUE, pretty = TRUE, na = "null", null = "null")

vec <- function(x) I(unname(as.vector(x)))          # always a JSON array, also of length one
mat <- function(x) unname(as.matrix(x))

tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5),
                     calc.derivs = FALSE)

# ---- the fit itself -------------------------------------------------------------------------
varcorr <- function(m) {
  v <- as.data.frame(VarCorr(m))
  lapply(seq_len(nrow(v)), function(i) list(grp = v$grp[i], var1 = v$var1[i], var2 = v$var2[i],
                                            vcov = v$vcov[i], sdcor = v$sdcor[i]))
}

# Is the optimum the optimum? The same criterion (minus twice the log-likelihood) is minimised again
# by nlminb from four other starts; `gain` is how far the best of them goes below the stored fit,
# `theta_diff` how far its theta lies from the stored one: about the accuracy theta can be had to.
recheck <- function(m) {
  f <- getME(m, "devfun"); th <- getME(m, "theta") + 0; lo <- getME(m, "lower")
  stored <- f(th); best <- Inf; bt <- th
  for (s in list(1.4 * th + 0.05, rep(1, length(th)), ifelse(lo == 0, 0.1, 0), ifelse(lo == 0, 2, -0.5))) {
    r <- nlminb(s, f, lower = lo, control = list(rel.tol = 1e-15, x.tol = 1e-12, eval.max = 5000, iter.max = 5000))
    if (r$objective < best) { best <- r$objective; bt <- r$par }
  }
  f(th)                                                # f writes into m: leave m as it was
  stopifnot(stored - best < 1e-6, abs(f(th) - stored) < 1e-9)
  list(gain = stored - best, theta_diff = max(abs(th - bt)))
}

fit_values <- function(m) {
  l <- logLik(m)
  list(formula = deparse1(formula(m)), method = if (isREML(m)) "REML" else "ML", n = nobs(m),
       groups = as.list(sapply(getME(m, "flist"), nlevels)),
       coef_names = vec(names(fixef(m))), beta = vec(fixef(m)), se = vec(sqrt(diag(as.matrix(vcov(m))))),
       vcov = mat(vcov(m)), theta_names = vec(names(getME(m, "theta"))), theta = vec(getME(m, "theta")),
       sigma = sigma(m), varcorr = varcorr(m), logLik = as.numeric(l), npar = attr(l, "df"),
       AIC = AIC(m), BIC = BIC(m), singular = isSingular(m), reoptimised = recheck(m))
}

# ---- model-based denominators ---------------------------------------------------------------
satt_values <- function(m) {
  s <- summary(as_lmerModLmerTest(m), ddf = "Satterthwaite")$coefficients
  list(df = vec(s[, "df"]), t = vec(s[, "t value"]), p = vec(s[, "Pr(>|t|)"]))
}
kr_values <- function(m) {
  V <- pbkrtest::vcovAdj(m); p <- length(fixef(m)); L <- diag(p)
  df <- sapply(seq_len(p), function(j) pbkrtest::Lb_ddf(L[j, ], vcov(m), V))
  se <- sqrt(diag(as.matrix(V))); t <- fixef(m) / se
  list(se = vec(se), df = vec(df), t = vec(t), p = vec(2 * pt(-abs(t), df)), vcovAdj = mat(V))
}

# ---- cluster-robust -------------------------------------------------------------------------
types <- c("CR0", "CR1", "CR2")

# By the published formulae on whole n x n matrices, sharing no code with clubSandwich.
# W: working weights, Theta: working covariance of the errors (both n x n), e: residuals.
by_hand <- function(X, e, cluster, W, Theta, type, L = diag(ncol(X))) {
  n <- nrow(X); M <- solve(t(X) %*% W %*% X); IH <- diag(n) - X %*% M %*% t(X) %*% W
  S <- IH %*% Theta %*% t(IH); js <- split(seq_len(n), droplevels(factor(cluster))); J <- length(js)
  half <- function(a) { k <- eigen((a + t(a)) / 2, symmetric = TRUE)
    k$vectors %*% (ifelse(k$values > 1e-12, 1 / sqrt(pmax(k$values, 1e-300)), 0) * t(k$vectors)) }
  E <- lapply(js, function(i) {
    xw <- t(X) %*% W[, i, drop = FALSE]
    if (type == "CR0") return(xw)
    if (type == "CR1") return(xw * sqrt(J / (J - 1)))
    C <- chol(Theta[i, i, drop = FALSE])
    xw %*% (t(C) %*% half(C %*% S[i, i, drop = FALSE] %*% t(C)) %*% C)
  })
  sc <- mapply(function(a, i) a %*% e[i], E, js)
  V <- M %*% tcrossprod(matrix(sc, ncol = J)) %*% M
  est <- L %*% M
  df <- apply(est, 1, function(l) {
    G <- mapply(function(a, i) t(IH[i, , drop = FALSE]) %*% (t(a) %*% l), E, js)
    P <- t(G) %*% Theta %*% G; sum(diag(P))^2 / sum(P^2)
  })
  list(V = V, se = sqrt(diag(L %*% V %*% t(L))), df = df)
}

theta_matrix <- function(m) {                      # relative covariance of y under the fitted lmer
  ZL <- as.matrix(getME(m, "Z") %*% t(getME(m, "Lambdat")))
  tcrossprod(ZL) + diag(1 / weights(m), nrow = nrow(ZL))
}
by_hand_lmer <- function(m, cluster, type, ...) {
  T <- theta_matrix(m); X <- getME(m, "X")
  by_hand(X, getME(m, "y") - as.vector(X %*% fixef(m)), cluster, solve(T), T, type, ...)
}

rel <- function(a, b) max(abs(as.vector(a) - as.vector(b)) / pmax(abs(as.vector(b)), 1e-8))

# fit, its clubSandwich V, and what the hand computation gives for the same
cr_entry <- function(obj, V, hand) {
  k <- suppressWarnings(coef_test(obj, vcov = V, test = "Satterthwaite"))
  list(coef_names = vec(k$Coef), se = vec(k$SE), df = vec(k$df_Satt), t = vec(k$tstat), p = vec(k$p_Satt), V = mat(V),
       hand_check = list(se = rel(hand$se, k$SE), df = rel(hand$df, k$df_Satt)))
}
cr_lmer <- function(m, cluster, must = 1e-6) {
  o <- list()
  for (ty in types) {
    o[[ty]] <- cr_entry(m, vcovCR(m, cluster = cluster, type = ty), by_hand_lmer(m, cluster, ty))
    stopifnot(unlist(o[[ty]]$hand_check) < must)
  }
  o
}
# For lm, clubSandwich's default working model is homoskedastic (Theta = I) also when there are
# weights; precision = TRUE takes Theta = 1/w instead. Rows of weight 0 are left out of both.
cr_lm <- function(m, cluster, precision = FALSE, must = 1e-6) {
  w <- weights(m); if (is.null(w)) w <- rep(1, length(cluster)); keep <- w > 0
  X <- model.matrix(m)[keep, !is.na(coef(m)), drop = FALSE]; e <- residuals(m)[keep]; w <- w[keep]
  W <- diag(w / mean(w)); T <- if (precision) diag(mean(w) / w) else diag(length(w))
  o <- list()
  for (ty in types) {
    V <- if (precision) vcovCR(m, cluster = cluster, type = ty, target = mean(w) / weights(m), inverse_var = TRUE)
         else vcovCR(m, cluster = cluster, type = ty)
    o[[ty]] <- cr_entry(m, V, by_hand(X, e, as.character(cluster)[keep], W, T, ty))
    stopifnot(is.na(must) || all(unlist(o[[ty]]$hand_check) < must))
  }
  o
}
lm_values <- function(m) {
  s <- summary(m)
  list(formula = deparse1(formula(m)), n = length(residuals(m)), n_used = nobs(m), rank = m$rank,
       df_residual = m$df.residual, sigma = s$sigma, coef_names = vec(names(coef(m))), beta = vec(coef(m)),
       estimated_names = vec(rownames(s$coefficients)), se_model = vec(s$coefficients[, 2]), aliased = vec(is.na(coef(m))))
}
wald_HTZ <- function(m, V, terms) {
  w <- as.data.frame(Wald_test(m, constraints = constrain_zero(terms), vcov = V, test = "HTZ"))
  list(terms = vec(terms), F = w$Fstat, df_num = w$df_num, df_denom = w$df_denom, p = w$p_val, eta_delta = w$delta)
}
said <- function(expr) tryCatch({ force(expr); "no refusal" }, error = function(e) conditionMessage(e))
