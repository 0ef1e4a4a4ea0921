# nnet's multinomial logit of race in Lalonde's data, as PSweight takes it (its own stopping rule) and run
# to its last digit. Run from the root of the repository, with MatchIt's `lalonde` as a file:
# Rscript tests/oracles/r/three_arm_weights.R $BASEEVAL_SHARED/data/reference_values/lalonde.csv
suppressMessages({library(nnet); library(jsonlite)})
here <- local({
  f <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(f) == 1) dirname(f) else file.path("tests", "oracles", "r")
})
lalonde <- read.csv(commandArgs(TRUE)[1], stringsAsFactors = TRUE)
fit <- function(...) {
  m <- multinom(race ~ age + educ + married + nodegree + re74 + re75, lalonde, trace = FALSE, ...)
  b <- coef(m)
  list(arms = levels(lalonde$race), coef_names = colnames(b), beta17 = apply(b, 1, function(x) sprintf("%.17g", x), simplify = FALSE),
       logLik = as.numeric(logLik(m)))
}
write_json(list(versions = list(R = R.version.string, nnet = as.character(packageVersion("nnet"))),
                as_psweight = fit(), to_the_end = fit(reltol = 1e-16, maxit = 10000)),
           file.path(here, "three_arm_weights.json"), digits = NA, auto_unbox = TRUE, pretty = TRUE)
