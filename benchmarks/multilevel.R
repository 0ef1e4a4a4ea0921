# lme4's side of multilevel.py: Rscript multilevel.R FOLDER FORMULA RUNS.
# The table is read before the clock starts; what is timed is the fit and its summary.
# Rscript multilevel.R FOLDER write: the Exam table of mlmRev in the same form.
suppressMessages({library(lme4); library(jsonlite)})
told <- commandArgs(TRUE); folder <- told[1]
if (told[2] == "write") {
  data(Exam, package = "mlmRev"); Exam$school <- as.integer(Exam$school)
  about <- lapply(c("normexam", "standLRT", "sex", "schgend", "school"), function(name) {
    v <- Exam[[name]]; words <- if (is.factor(v)) levels(v) else character()
    writeBin(if (is.factor(v)) as.integer(v) - 1L else if (name == "school") v - 1L else as.double(v), file.path(folder, paste0(name, ".bin")))
    list(name = name, kind = if (is.double(v)) "double" else "integer", levels = I(words))
  })
  writeLines(toJSON(list(rows = nrow(Exam), columns = about), auto_unbox = TRUE), file.path(folder, "columns.json"))
  quit("no")
}
formula <- as.formula(told[2]); runs <- as.integer(told[3])
about <- fromJSON(file.path(folder, "columns.json"), simplifyDataFrame = FALSE)
d <- list()
for (column in about$columns) {
  file <- file.path(folder, paste0(column$name, ".bin")); words <- unlist(column$levels)
  v <- readBin(file, if (column$kind == "double") "double" else "integer", about$rows)
  if (column$name %in% c("school", "pupil")) words <- as.character(seq_len(max(v) + 1L))
  if (length(words) > 0) v <- structure(v + 1L, levels = words, class = "factor")
  d[[column$name]] <- v
}
d <- structure(d, row.names = seq_len(about$rows), class = "data.frame")
peak <- function() {
  line <- grep("VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
small <- about$rows < 10000; inner <- if (small) 20 else 1   # repeated where once is too short for the clock
times <- c(); walls <- c()
for (run in seq_len(runs + small)) {                         # the first of a small table warms R up
  gc(FALSE)
  took <- system.time(for (again in seq_len(inner)) { m <- lmer(formula, d); s <- summary(m); shown <- coef(s) })
  if (!small || run > 1) { times <- c(times, sum(took[1:2]) / inner); walls <- c(walls, took[3] / inner) }
}
cat(toJSON(list(cpu = I(times), wall = I(unname(walls)), memory = peak(), loglik = as.numeric(logLik(m)),
  names = rownames(shown), estimate = unname(shown[, 1]), std_error = unname(shown[, 2])), digits = NA, auto_unbox = TRUE), "\n")
