# Weighted multilevel models. Whole-number weights are copies: a pupil of weight two within the
# school is two pupils, a school of weight two is two schools, so lme4 by maximum likelihood on the
# copied rows gives the pseudo-likelihood's estimates. Other weights: the definition on whole
# matrices of a school, maximised and differentiated numerically. Estimating equations: survey,
# geepack (weights of schools), clubSandwich.
#   Rscript tests/oracles/r/weighted_models.R
source(file.path(local({
  f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(f) == 1) dirname(f) else file.path("tests", "oracles", "r")
}), "common.R"))
suppressMessages({ library(survey); library(geepack) })
set.seed(7)

G <- 24
size <- c(1, 1, sample(2:9, G - 2, replace = TRUE))
home <- rep(seq_len(G), size)
pupil <- seq_along(home)
d <- data.frame(school = home, pupil = pupil)
d$x <- rnorm(nrow(d)); d$arm <- as.numeric(runif(nrow(d)) < 0.4)
d$copies <- sample(1:3, nrow(d), replace = TRUE)
d$school_copies <- sample(1:3, G, replace = TRUE)[home]
d$w <- round(runif(nrow(d), 0.3, 3), 3)
d$sw <- round(runif(G, 0.5, 4), 3)[home]
d$y <- 50 + 3 * d$x + 2 * d$arm + 4 * rnorm(G)[home] + 2 * rnorm(G)[home] * d$x + 5 * rnorm(nrow(d))
d$yes <- as.numeric(runif(nrow(d)) < plogis(0.3 + 0.7 * d$x - 0.5 * d$arm + 0.6 * rnorm(G)[home]))
d$possible <- sample(20:40, nrow(d), replace = TRUE)
d$attended <- rbinom(nrow(d), d$possible, plogis(1.5 + 0.4 * d$x + 0.5 * rnorm(G)[home]))
# occasions: one to three waves of each pupil
waves <- sample(1:3, nrow(d), replace = TRUE, prob = c(1, 2, 4))
o <- d[rep(pupil, waves), c("school", "pupil", "x", "arm", "copies", "school_copies", "w", "sw")]
o$wave <- sequence(waves) - 1
o$y <- 50 + 2 * o$x + 1.5 * o$wave + 3 * rnorm(G)[o$school] + 4 * rnorm(nrow(d))[o$pupil] + 3 * rnorm(nrow(o))
write_data(d, "weighted_models.csv"); write_data(o, "weighted_models_waves.csv")

ml <- function(f, data) {
  m <- lmer(f, data, REML = FALSE, control = tight); r <- recheck(m)
  list(formula = deparse1(f), beta = vec(fixef(m)), theta = vec(getME(m, "theta")), sigma = sigma(m),
       logLik = as.numeric(logLik(m)), reoptimised = r)
}
# copies of schools, each with copies of pupils
copy_rows <- function(d) {
  out <- list()
  for (s in unique(d$school)) for (k in seq_len(d$school_copies[d$school == s][1])) {
    e <- d[d$school == s, ]
    for (p in unique(e$pupil)) for (c in seq_len(e$copies[e$pupil == p][1])) {
      f <- e[e$pupil == p, ]; f$school <- paste(s, k); f$pupil <- paste(s, k, p, c)
      out[[length(out) + 1]] <- f
    }
  }
  do.call(rbind, out)
}
dc <- copy_rows(d); oc <- copy_rows(o)
lme4_ml <- list(
  equal_intercept = ml(y ~ x + arm + (1 | school), d),
  equal_slope = ml(y ~ x + arm + (1 + x | school), d),
  equal_waves = ml(y ~ x + wave + (1 | school) + (1 | pupil), o),
  copied_intercept = ml(y ~ x + arm + (1 | school), dc),
  copied_slope = ml(y ~ x + arm + (1 + x | school), dc),
  copied_waves = ml(y ~ x + wave + (1 | school) + (1 | pupil), oc)
)

# ---- any weights: the definition ------------------------------------------------------------
scaled <- function(w, g, how) switch(how, none = w, size = w * ave(w, g, FUN = length) / ave(w, g, FUN = sum),
                                     effective = w * ave(w, g, FUN = sum) / ave(w^2, g, FUN = sum))
# log-likelihood of each school: y | u normal to the power w, integrated over u by completing the square
school_ll <- function(par, X, Z, y, g, w, sw) {
  p <- ncol(X); q <- ncol(Z); L <- matrix(0, q, q); L[lower.tri(L, TRUE)] <- par[p + seq_len(q * (q + 1) / 2)]
  s <- par[length(par)]
  sapply(split(seq_along(y), g), function(i) {
    A <- Z[i, , drop = FALSE] %*% L; e <- (y[i] - X[i, , drop = FALSE] %*% par[1:p]) / s; W <- w[i]
    M <- diag(q) + t(A) %*% (W * A); b <- t(A) %*% (W * e)
    sw[i][1] * (-0.5) * (sum(W) * log(2 * pi * s^2) + as.numeric(determinant(M)$modulus) + sum(W * e^2) - sum(b * solve(M, b)))
  })
}
jac <- function(f, x) sapply(seq_along(x), function(k) {          # Richardson on central differences
  h <- 1e-3 * max(abs(x[k]), 0.1); e <- replace(0 * x, k, 1)
  a <- (f(x + h * e) - f(x - h * e)) / (2 * h); b <- (f(x + h / 2 * e) - f(x - h / 2 * e)) / h
  (4 * b - a) / 3
})
by_definition <- function(q, how, start) {
  X <- cbind(1, d$x, d$arm); Z <- cbind(1, d$x)[, seq_len(q), drop = FALSE]; w <- scaled(d$w, d$school, how)
  each <- function(par) school_ll(par, X, Z, d$y, d$school, w, d$sw)
  f <- function(par) -sum(each(par))
  gr <- function(par) as.vector(jac(f, par))
  r <- nlminb(start, f, gr, control = list(rel.tol = 1e-15, x.tol = 1e-12, eval.max = 1e4, iter.max = 1e4))
  for (k in 1:5) r$par <- r$par - solve(jac(gr, r$par), gr(r$par))
  S <- jac(each, r$par); H <- jac(gr, r$par); B <- solve((H + t(H)) / 2); V <- B %*% crossprod(S) %*% B
  list(beta = vec(r$par[1:3]), theta = vec(r$par[3 + seq_len(q * (q + 1) / 2)]), sigma = r$par[length(r$par)],
       logLik = -f(r$par), se = vec(sqrt(diag(V))), gradient = max(abs(gr(r$par))))
}
pseudo <- list()
for (how in c("size", "effective", "none")) {
  pseudo[[paste0("intercept_", how)]] <- by_definition(1, how, c(50, 3, 2, 0.7, 5))
  pseudo[[paste0("slope_", how)]] <- by_definition(2, how, c(50, 3, 2, 0.7, 0, 0.4, 5))
}

# ---- estimating equations -------------------------------------------------------------------
d$total <- d$w * d$sw
des <- svydesign(ids = ~school, weights = ~total, data = d)
svy <- function(f, fam) { m <- svyglm(f, des, family = fam, control = glm.control(epsilon = 1e-14, maxit = 100))
  list(beta = vec(coef(m)), se = vec(sqrt(diag(vcov(m))))) }
gee <- function(f, fam, ...) {
  m <- geeglm(f, data = d, id = school, family = fam, corstr = "exchangeable", weights = sw,
              control = geese.control(epsilon = 1e-12, maxit = 200))
  list(beta = vec(coef(m)), se = vec(sqrt(diag(vcov(m)))), alpha = unname(m$geese$alpha))
}
lm_fit <- lm(y ~ x + arm, d, weights = total)
CR3 <- vcovCR(lm_fit, cluster = d$school, type = "CR3")
write_values(list(
  versions = versions("lme4", "survey", "geepack", "clubSandwich"),
  lme4 = lme4_ml, pseudo = pseudo,
  survey = list(identity = svy(y ~ x + arm, gaussian()), logit = svy(yes ~ x + arm, quasibinomial()),
                log = svy(yes ~ x + arm, quasipoisson()),
                sessions = svy(cbind(attended, possible - attended) ~ x + arm, quasibinomial())),
  geepack = list(identity = gee(y ~ x + arm, gaussian()), logit = gee(yes ~ x + arm, binomial())),
  clubSandwich = list(lm = cr_lm(lm_fit, d$school), CR3 = vec(sqrt(diag(CR3))))
), "weighted_models.json")
