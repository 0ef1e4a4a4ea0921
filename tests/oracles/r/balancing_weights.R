# Balancing weights from their definitions by general solvers: quadprog (Goldfarb and Idnani) for the quadratic
# programs, BFGS with analytic gradients for the convex duals. Synthetic.
# Run from the root of the repository: Rscript tests/oracles/r/balancing_weights.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
suppressMessages(library(quadprog))
set.seed(26)
n <- 90
d <- data.frame(age = rnorm(n), prior = rnorm(n), sen = rbinom(n, 1, 0.4))
d$prior <- d$prior + 0.5 * d$age
eta <- cbind(0.5 * d$age - 0.4 * d$prior + 0.5 * d$sen, 0.3 * d$prior - 0.4 * d$sen, 0)
d$arm <- apply(eta - log(-log(matrix(runif(3 * n), n))), 1, which.max) - 1    # 0, 1, 2
d$base <- sample(c(1, 1, 2, 3), n, replace = TRUE)
x <- as.matrix(d[, c("age", "prior", "sen")])
m <- cbind(1, x)

# A criterion and its gradient, minimised until the gradient is rounding: BFGS, then Newton on differences of gradients.
minimum <- function(value, gradient, start) {
  o <- optim(start, value, gradient, method = "BFGS", control = list(reltol = 1e-16, maxit = 2000))$par
  for (k in 1:20) {
    h <- sapply(seq_along(o), function(j) { e <- replace(numeric(length(o)), j, 1e-5); (gradient(o + e) - gradient(o - e)) / 2e-5 })
    step <- solve(h, gradient(o))
    o <- o - step
    if (max(abs(step)) < 1e-13) break
  }
  stopifnot(max(abs(gradient(o))) < 1e-9)
  o
}

mean_of <- function(rows) colSums(d$base[rows] * x[rows, , drop = FALSE]) / sum(d$base[rows])

entropy <- function(arm, target) {                                            # Hainmueller (2012)
  z <- sweep(x[arm, ], 2, target); b <- d$base[arm]
  w <- function(l) b * exp(drop(z %*% l))
  l <- minimum(function(l) log(sum(w(l))), function(l) colSums(w(l) * z) / sum(w(l)), numeric(3))
  w(l) / sum(w(l)) * sum(b)
}

tilting <- function(arm) {                                                    # Graham, Pinto and Egel (2012)
  b <- d$base
  t <- minimum(
    function(t) { e <- drop(m %*% t); sum(b * (arm * (exp(-e) - e) + e)) },
    function(t) { e <- drop(m %*% t); colSums(b * (1 - arm * (1 + exp(-e))) * m) }, numeric(4))
  (b * (1 + exp(-drop(m %*% t))))[arm]
}

cbps <- function(first, keep) {                                               # Zhao (2019): Imai and Ratkovic's ATE
  mk <- m[keep, ]; b <- d$base[keep]; s <- ifelse(first[keep], 1, -1)
  t <- minimum(
    function(t) { e <- s * drop(mk %*% t); sum(b * (exp(-e) - e)) },
    function(t) { e <- s * drop(mk %*% t); colSums(-b * s * (1 + exp(-e)) * mk) }, numeric(4))
  b * (1 + exp(-s * drop(mk %*% t)))
}

stable <- function(arm, target, scale, allowed) {                             # Zubizarreta (2015); shares of weight
  b <- d$base[arm] / sum(d$base[arm])
  z <- sweep(sweep(x[arm, ], 2, target), 2, scale, "/"); k <- sum(arm)
  s <- solve.QP(diag(1 / b), rep(1, k), cbind(1, z, -z, diag(k)), c(1, rep(-allowed, 6), numeric(k)), meq = 1)
  pmax(s$solution, 0)
}

energy <- function(arms, target) {                                            # Huling and Mak (2024)
  rows <- which(d$arm %in% arms); g <- match(d$arm[rows], arms); k <- length(arms)
  p <- sweep(x, 2, sqrt(colSums(d$base * sweep(x, 2, mean_of(rep(TRUE, n)))^2) / sum(d$base)), "/")
  dist2 <- as.matrix(dist(p))
  t <- ifelse(target, d$base, 0); t <- t / sum(t)
  # 2 w'Dt - w'Dw for each arm and 2 v'Dw - v'Dv - w'Dw for each pair; what is constant is left out, and a multiple of
  # (sum w - 1)^2 of each arm, which is 0, makes the form definite.
  a <- dist2[rows, rows] * outer(g, g, function(i, j) ifelse(i == j, -k, 1)) + 100 * outer(g, g, "==")
  l <- -drop(dist2[rows, ] %*% t) + 100
  eq <- sapply(1:k, function(i) as.numeric(g == i))
  s <- solve.QP(2 * a, 2 * l, cbind(eq, diag(length(rows))), c(rep(1, k), numeric(length(rows))), meq = k)
  out <- numeric(n); out[rows] <- pmax(s$solution, 0); out
}

sd_of <- function(arm) apply(x[arm, ], 2, function(v) if (all(v %in% 0:1)) sqrt(weighted.mean(v, d$base[arm]) * (1 - weighted.mean(v, d$base[arm]))) else {
  b <- d$base[arm] / sum(d$base[arm]); sqrt(sum(b * (v - sum(b * v))^2) / (1 - sum(b^2))) })
one <- d$arm == 0; two <- d$arm == 1; three <- d$arm == 2; all <- rep(TRUE, n)
pair <- one | two
spread <- sqrt((sd_of(one)^2 + sd_of(two)^2 + sd_of(three)^2) / 3)

write_data(d, "balancing_weights.csv")
write_values(list(
  versions = versions("quadprog"),
  entropy_to_first = list(second = vec(entropy(two, mean_of(one))), third = vec(entropy(three, mean_of(one)))),
  entropy_to_all = list(first = vec(entropy(one, mean_of(all))), second = vec(entropy(two, mean_of(all))), third = vec(entropy(three, mean_of(all)))),
  tilting_to_all = list(first = vec(tilting(one)), second = vec(tilting(two)), third = vec(tilting(three))),
  cbps_first_two = vec(cbps(one, pair)),
  stable_to_first_05 = list(second = vec(stable(two, mean_of(one), sd_of(one), 0.05)), third = vec(stable(three, mean_of(one), sd_of(one), 0.05))),
  stable_to_first_0 = list(second = vec(stable(two, mean_of(one), sd_of(one), 0)), third = vec(stable(three, mean_of(one), sd_of(one), 0))),
  stable_to_all_1 = list(first = vec(stable(one, mean_of(all), spread, 0.05)), second = vec(stable(two, mean_of(all), spread, 0.05)), third = vec(stable(three, mean_of(all), spread, 0.05))),
  energy_to_first = vec(energy(1, one) + energy(2, one)),
  energy_to_all = vec(energy(0:2, all))
), "balancing_weights.json")
