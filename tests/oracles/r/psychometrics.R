# Reliability (psych) and measurement invariance (lavaan). No data are written, only sizes, means and covariances
# (divisor n, as maximum likelihood has them) and what R made of them.
# Run from the root of the repository: Rscript tests/oracles/r/psychometrics.R
# Needs Debian's r-cran-lavaan and r-cran-psych besides what README.md names; and BASEEVAL_SHARED (default ../shared) for STAR.
suppressMessages({ library(lavaan); library(psych); library(jsonlite) })
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
here <- "tests/oracles/r"
shared <- Sys.getenv("BASEEVAL_SHARED", "../shared")
vec <- function(x) I(unname(as.vector(x)))
moments <- function(d) {
  m <- as.matrix(d); n <- nrow(m)
  list(n = n, mean = vec(colMeans(m)), covariance = unname(cov(m) * (n - 1) / n))
}
tight <- list()                                        # nlminb with a tighter rel.tol reports false convergence
wanted <- c("chisq", "df", "pvalue", "baseline.chisq", "baseline.df", "cfi", "tli", "rmsea", "rmsea.ci.lower",
            "rmsea.ci.upper", "srmr", "logl", "npar")
values <- function(f) {
  p <- parameterEstimates(f); if (is.null(p$group)) p$group <- 1
  list(measures = as.list(fitMeasures(f, wanted)), converged = lavInspect(f, "converged"),
       parameters = list(lhs = vec(p$lhs), op = vec(p$op), rhs = vec(p$rhs), group = vec(p$group), est = vec(p$est), se = vec(p$se)))
}
steps <- list(configural = NULL, metric = "loadings", scalar = c("loadings", "intercepts"))
ladder <- function(model, d, group, std.lv = FALSE) {
  fits <- lapply(steps, function(e) {
    a <- list(model = model, data = d, group = group, meanstructure = TRUE, std.lv = std.lv, control = tight)
    if (!is.null(e)) a$group.equal <- e
    do.call("cfa", a)
  })
  lrt <- as.data.frame(lavTestLRT(fits[[1]], fits[[2]], fits[[3]]))
  out <- lapply(fits, values)
  out$difference <- list(chisq = vec(lrt[2:3, "Chisq diff"]), df = vec(lrt[2:3, "Df diff"]), p = vec(lrt[2:3, "Pr(>Chisq)"]))
  out
}

# ---- Holzinger and Swineford (1939), lavaan's nine tests by school ------------------------------------------------
hs <- HolzingerSwineford1939
x <- paste0("x", 1:9)
three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
schools <- unique(as.character(hs$school))              # lavaan takes groups in order of appearance
holzinger <- list(groups = vec(schools), items = vec(x), moments = lapply(schools, function(s) moments(hs[hs$school == s, x])),
                  marker = ladder(three, hs, "school"), standardised = ladder(three, hs, "school", std.lv = TRUE),
                  one_factor_speed = ladder("speed =~ x7 + x8 + x9", hs, "school"))

# ---- reliability --------------------------------------------------------------------------------------------------
reliability <- function(d) {
  d <- d[complete.cases(d), ]; n <- nrow(d)
  a <- suppressWarnings(suppressMessages(alpha(d, check.keys = FALSE, warnings = FALSE)))
  o <- suppressWarnings(suppressMessages(omega(d, nfactors = 1, fm = "ml", flip = FALSE, plot = FALSE)))
  f <- cfa(paste("f =~", paste(names(d), collapse = " + ")), d, std.lv = TRUE, control = tight)
  e <- inspect(f, "est"); l <- sum(e$lambda)
  list(moments = moments(d), alpha = a$total$raw_alpha, std_alpha = a$total$std.alpha, ase = a$total$ase,
       feldt = vec(unlist(a$feldt[c("lower.ci", "upper.ci")])), r_drop = vec(a$item.stats$r.drop),
       item_mean = vec(a$item.stats$mean), item_sd = vec(a$item.stats$sd),
       omega_psych_ml = o$omega.tot, omega_psych_uniqueness = vec(o$schmid$sl[, "u2"]),
       omega_lavaan = l^2 / (l^2 + sum(diag(e$theta))), lambda = vec(e$lambda), theta = vec(diag(e$theta)))
}
nine <- reliability(hs[x])

# ---- STAR, grade 8, belonging: numbers only -----------------------------------------------------------------------
star <- read.csv(gzfile(file.path(shared, "data", "star", "students.csv.gz")), stringsAsFactors = FALSE)
items <- c("g8idprou", "g8idrspt", "g8idattn", "g8idactv", "g8idcare", "g8idplac", "g8idprob", "g8idfavr", "g8idintr")
codes <- c("STRONGLY DISAGREE" = 1, "DISAGREE" = 2, "AGREE" = 3, "STRONGLY AGREE" = 4)
b <- as.data.frame(lapply(star[items], function(v) unname(codes[toupper(v)])))
for (i in c("g8idattn", "g8idcare", "g8idplac")) b[[i]] <- 5 - b[[i]]
b$arm <- ifelse(star$gkclasstype == "", NA, ifelse(grepl("SMALL", star$gkclasstype), "small", "other"))
b <- b[!is.na(b$arm), ]
stopifnot(nrow(b) > 5000)
whole <- b[complete.cases(b[items]), ]
star_out <- list(items = vec(items), all = reliability(whole[items]), small = reliability(whole[whole$arm == "small", items]),
                 other = reliability(whole[whole$arm == "other", items]),
                 groups = vec(unique(whole$arm)), ladder = ladder(paste("belonging =~", paste(items, collapse = " + ")), whole, "arm"))
# The real covariances of STAR pupils stay where they are: the test computes them from the data.
for (g in c("all", "small", "other")) star_out[[g]]$moments <- list(n = star_out[[g]]$moments$n)

# ---- the same four items at three waves, synthetic ----------------------------------------------------------------
set.seed(20264)
n <- 400; p <- 4; waves <- 3
load <- c(0.8, 0.7, 0.9, 0.6); start <- c(3.0, 3.2, 2.8, 3.1)
eta <- matrix(rnorm(n * waves), n) %*% chol(0.5 * matrix(1, waves, waves) + 0.5 * diag(waves))
eta <- sweep(eta, 2, c(0, 0.15, 0.3), "+"); own <- matrix(rnorm(n * p, 0, 0.4), n)
w <- do.call(cbind, lapply(1:waves, function(t) {
  m <- sapply(1:p, function(j) start[j] + load[j] * eta[, t] + own[, j] + rnorm(n, 0, 0.6))
  if (t == 3) m[, 2] <- m[, 2] + 0.25                     # one intercept moves at the last wave
  colnames(m) <- paste0("i", 1:p, "_", t); m
}))
w <- as.data.frame(w)
syntax <- function(step) {
  s <- character(0)
  for (t in 1:waves) {
    lab <- if (step == "configural") "" else paste0("l", 1:p, "*")       # lavaan() fixes no first loading by itself
    s <- c(s, paste0("f", t, " =~ ", paste0(lab, "i", 1:p, "_", t, collapse = " + ")))
    s <- c(s, if (t == 1 || step == "configural") paste0("f", t, " ~~ 1*f", t) else paste0("f", t, " ~~ NA*f", t))
    s <- c(s, if (t == 1 || step != "scalar") paste0("f", t, " ~ 0*1") else paste0("f", t, " ~ NA*1"))
    s <- c(s, if (step == "scalar") paste0("i", 1:p, "_", t, " ~ n", 1:p, "*1") else paste0("i", 1:p, "_", t, " ~ 1"))
  }
  for (j in 1:p) for (t in 1:(waves - 1)) for (u in (t + 1):waves) s <- c(s, paste0("i", j, "_", t, " ~~ i", j, "_", u))
  paste(s, collapse = "\n")
}
long_fits <- lapply(names(steps), function(e) lavaan(syntax(e), w, meanstructure = TRUE, int.ov.free = FALSE, auto.var = TRUE, auto.cov.lv.x = TRUE, control = tight))
names(long_fits) <- names(steps)
waves_out <- c(list(waves = waves, moments = list(moments(w))), lapply(long_fits, values))

versions <- c(list(R = R.version.string), setNames(lapply(c("lavaan", "psych"), function(v) as.character(packageVersion(v))), c("lavaan", "psych")))
write_json(list(versions = versions, holzinger = holzinger, nine_tests = nine, star = star_out, waves = waves_out),
           file.path(here, "psychometrics.json"), digits = I(12), auto_unbox = TRUE, na = "null", null = "null")
