# The tutorial's program, in R's own words: a network of two layers trained by numerical gradients,
# the definition taken literally. It writes what it drew and the losses it saw, for a test to
# compare with.
#
# Rscript tutorial.R SEED IMAGES LABELS HIDDEN BATCH STEPS OUT
# IMAGES and LABELS are raw IDX files; OUT holds doubles: W1, W2, each step's batch (from 0), each
# step's loss before its update and, as the tutorial lists it, behind it, and W1, b1, W2, b2 at the
# end. Matrices go out column by column, as R has them.

arguments <- commandArgs(trailingOnly = TRUE)
numbers <- as.integer(arguments[c(1, 4, 5, 6)])
seed <- numbers[1]; hidden <- numbers[2]; batch <- numbers[3]; steps <- numbers[4]

read_idx <- function(path) {
  file <- file(path, "rb")
  on.exit(close(file))
  rank <- readBin(file, "integer", 4, size = 1, signed = FALSE)[4]
  shape <- readBin(file, "integer", rank, size = 4, endian = "big")
  values <- readBin(file, "integer", prod(shape), size = 1, signed = FALSE)
  matrix(values, nrow = shape[1], byrow = TRUE)
}
x_train <- read_idx(arguments[2]) / 255
labels <- read_idx(arguments[3])[, 1]
classes <- max(labels) + 1
t_train <- diag(classes)[labels + 1, ]

sigmoid <- function(x) 1 / (1 + exp(-x))
softmax <- function(x) {
  e <- exp(x - apply(x, 1, max))
  e / rowSums(e)
}
loss <- function(x, t) {
  z <- sigmoid(sweep(x %*% W$W1, 2, W$b1, "+"))
  y <- softmax(sweep(z %*% W$W2, 2, W$b2, "+"))
  -sum(t * log(y + 1e-7)) / nrow(x)
}
numerical_gradient <- function(name, x, t) {
  h <- 1e-4
  gradient <- W[[name]]
  for (i in seq_along(gradient)) {
    origin <- W[[name]][i]
    W[[name]][i] <<- origin + h
    above <- loss(x, t)
    W[[name]][i] <<- origin - h
    below <- loss(x, t)
    W[[name]][i] <<- origin
    gradient[i] <- (above - below) / (2 * h)
  }
  gradient
}

set.seed(seed)
W <- list()
W$W1 <- 0.01 * matrix(rnorm(ncol(x_train) * hidden), ncol(x_train), hidden)
W$b1 <- matrix(0, 1, hidden)
W$W2 <- 0.01 * matrix(rnorm(hidden * classes), hidden, classes)
W$b2 <- matrix(0, 1, classes)

out <- file(arguments[7], "wb")
writeBin(c(W$W1, W$W2), out)
batches <- c(); before <- c(); behind <- c()
for (step in 1:steps) {
  mask <- sample(nrow(x_train), batch)
  x <- x_train[mask, ]
  t <- t_train[mask, ]
  batches <- c(batches, mask - 1)
  before <- c(before, loss(x, t))
  gradients <- lapply(names(W), numerical_gradient, x, t)
  names(gradients) <- names(W)
  for (name in names(W)) W[[name]] <- W[[name]] - 0.1 * gradients[[name]]
  behind <- c(behind, loss(x, t))
}
writeBin(as.double(c(batches, before, behind)), out)
writeBin(c(W$W1, W$b1, W$W2, W$b2), out)
close(out)
