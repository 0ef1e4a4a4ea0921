# Subclassification, exact and coarsened exact matching by MatchIt: 300 synthetic rows with many
# settings, and small arms in which subclasses have to be filled up (min.n).
# Run from the root of the repository: Rscript tests/oracles/r/strata_matching.R
suppressMessages({ library(MatchIt); library(jsonlite) })
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
here <- local({
  f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(f) == 1) dirname(f) else file.path("tests", "oracles", "r")
})
g17 <- function(x) sprintf("%.17g", x)

set.seed(20)
n <- 300
d <- data.frame(
  prior = rnorm(n), age = sample(4:16, n, TRUE), income = ifelse(runif(n) < .35, 0, rexp(n) * 1e4),
  need = sample(c("ASD", "MLD", "SEMH", "SLCN"), n, TRUE, c(.4, .2, .1, .3)), fsm = rbinom(n, 1, .3)
)
d$treat <- rbinom(n, 1, plogis(-1 + .8 * d$prior - .05 * (d$age - 10) + .7 * (d$need == "ASD") - d$income / 3e4))
d$prior <- as.numeric(g17(d$prior)); d$income <- as.numeric(g17(d$income))
write.csv(transform(d, prior = g17(prior), income = g17(income)), file.path(here, "strata_matching.csv"),
          row.names = FALSE, quote = FALSE)
f <- treat ~ prior + age + income + need + fsm
score <- unname(fitted(glm(f, binomial, d)))
out <- list(versions = list(R = R.version.string, MatchIt = as.character(packageVersion("MatchIt"))),
            score17 = g17(score), cases = list())

# A row's weight follows from its stratum and arm, so those are stored once for each pair.
keep <- function(m, ...) {
  s <- as.integer(m$subclass); s[is.na(s)] <- 0L
  pair <- paste(s, m$treat)
  w <- tapply(unname(m$weights), pair, unique)
  stopifnot(all(lengths(w) == 1))
  c(list(...), list(strata = s, weight = as.list(setNames(as.numeric(w), names(w)))))
}
add <- function(name, settings, ...) {
  m <- suppressWarnings(matchit(..., data = d))
  out$cases[[name]] <<- keep(m, settings = settings)
}
for (e in c("ATT", "ATC", "ATE")) {
  for (k in c(2, 5, 6, 10, 20)) for (least in c(0, 1, 3)) {
    add(paste("subclass", e, k, least),
        list(method = "subclass", estimand = e, subclasses = k, min_per_arm = least),
        f, method = "subclass", distance = score, estimand = e, subclass = k, min.n = least)
  }
  add(paste("exact", e), list(method = "exact", estimand = e), treat ~ need + fsm, method = "exact", estimand = e)
  add(paste("cem", e), list(method = "cem", estimand = e), f, method = "cem", estimand = e)
}
for (how in list("sturges", "fd", "scott", 2, 3, 7, "q3", "q5")) {
  add(paste("cem", how), list(method = "cem", cutpoints = list(all = how)), f, method = "cem", cutpoints = how)
}
add("cem mixed", list(method = "cem", cutpoints = list(prior = c(-1, 0, .5), age = 4, income = "q4"),
                      grouping = list(need = list(c("MLD", "SEMH"), "ASD"))),
    f, method = "cem", cutpoints = list(prior = c(-1, 0, .5), age = 4, income = "q4"),
    grouping = list(need = list(c("MLD", "SEMH"), "ASD")))
add("cem none", list(method = "cem", cutpoints = list(prior = 2, age = 0, income = 3)),
    f, method = "cem", cutpoints = list(prior = 2, age = 0, income = 3))
add("cem edges", list(method = "cem", cutpoints = list(prior = 2, age = c(6, 10, 12), income = c(0, 5000))),
    f, method = "cem", cutpoints = list(prior = 2, age = c(6, 10, 12), income = c(0, 5000)))

# Filling up: scores with and without ties. Arms of exactly k * min.n rows with min.n = 1 are left
# out: there MatchIt 4.5.1 hands out subclasses in the order of the rows, whatever the scores.
out$filling <- list()
while (length(out$filling) < 50) {
  size <- sample(20:90, 1); a <- rbinom(size, 1, runif(1, .3, .7)); k <- sample(3:10, 1); least <- sample(1:4, 1)
  x <- rnorm(size) + a * runif(1, 0, 2); if (length(out$filling) %% 2) x <- round(x, 1)
  if (min(sum(a), sum(1 - a)) <= k * least) next
  e <- sample(c("ATT", "ATC", "ATE"), 1)
  x <- round(plogis(x), 8)
  m <- suppressWarnings(matchit(a ~ x, data.frame(a, x), method = "subclass", distance = x, subclass = k, min.n = least, estimand = e))
  plain <- suppressWarnings(matchit(a ~ x, data.frame(a, x), method = "subclass", distance = x, subclass = k, min.n = 0, estimand = e))
  if (identical(as.character(m$subclass), as.character(plain$subclass))) next
  out$filling[[length(out$filling) + 1]] <- list(treated = a, score = x, subclasses = k, min_per_arm = least,
    estimand = e, strata = as.integer(m$subclass))
}

# R's own rules for a number of bins, on columns with many equal values too.
out$bins <- lapply(1:30, function(i) {
  x <- signif(rnorm(sample(2:120, 1)) * 10^sample(-3:4, 1), 6)
  if (i %% 3 == 0) x[runif(length(x)) < sample(c(.6, .8, .95, .99), 1)] <- 0
  if (i %% 5 == 0) x <- round(x)
  list(values = x, sturges = nclass.Sturges(x), scott = nclass.scott(x), fd = nclass.FD(x))
})
write_json(out, file.path(here, "strata_matching.json"), digits = 15, auto_unbox = TRUE, null = "null")
