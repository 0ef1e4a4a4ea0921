# Cumulative incidence of three ways out, with late entry and many ties: survival's multi-state curves and their
# infinitesimal jackknife, over rows and over schools. Synthetic.
# Run from the root of the repository: Rscript tests/oracles/r/competing_risks.R
source(file.path(local({f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)); if (length(f)) dirname(f) else "tests/oracles/r"}), "common.R"))
suppressMessages(library(survival))
set.seed(20)
n <- 240
school <- sample(0:23, n, replace = TRUE)
frailty <- rexp(24)[school + 1]
start <- sample(0:900, n, replace = TRUE)
stay <- ceiling(rexp(n, rate = (0.4 + frailty) / 900))     # whole days, so that many leave on one
way <- sample(1:3, n, replace = TRUE, prob = c(5, 3, 1))
entry <- sample(c(0, 0, 30, 60), n, replace = TRUE)        # seen only from this day of the stay on
d <- data.frame(entry = entry, leaving = stay, way = way, school = school)
end <- 1000 - start                                        # the day of the stay on which the data end
keep <- stay > entry & end > entry
d <- d[keep, ]; end <- end[keep]
d$way[d$leaving > end] <- 0
d$leaving <- pmin(d$leaving, end)
d$id <- seq_len(nrow(d))

at <- c(1, 90, 200, 365, 401, 500, 730, 1000)
# survfit 3.5-3 gives the standard errors over ids whatever `cluster` says: those over schools are made of its own
# influence of each row (`influence = TRUE`), added up within schools. Over rows the same sums give its standard errors.
curves <- function(d, by) {
  event <- factor(d$way, 0:3, c("in", "one", "two", "three"))
  m <- survfit(Surv(d$entry, d$leaving, event) ~ 1, id = d$id, influence = TRUE)
  s <- summary(m, times = at, extend = TRUE)
  k <- match(c("one", "two", "three"), m$states); i <- setdiff(seq_along(m$states), k)
  u <- m$influence.pstate[, findInterval(at, m$time) + 1, , drop = FALSE]
  spread <- function(by) sqrt(apply(u, 2:3, function(x) sum(tapply(x, by, sum)^2)))
  stopifnot(max(abs(spread(d$id) - s$std.err)) < 1e-12)
  se <- spread(by)
  list(incidence = mat(t(s$pstate[, k])), std_error = mat(t(se[, k])),
       still = vec(s$pstate[, i]), still_std_error = vec(se[, i]))
}
start_only <- subset(d, entry == 0)
out <- list(versions = versions("survival", "jsonlite"),
  data = list(file = write_data(d[, c("entry", "leaving", "way", "school")], "competing_risks.csv"), rows = nrow(d)),
  at = vec(at), alone = curves(d, d$id), clustered = curves(d, d$school),
  from_the_start = curves(start_only, start_only$id))
write_values(out, "competing_risks.json")
