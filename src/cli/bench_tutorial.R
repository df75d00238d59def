# The tutorial's numerical gradient, in its own words, over some of the weights of W1: its loss is
# evaluated twice a weight, by R's own matrix products.
#
# Rscript tutorial.R INPUTS HIDDEN CLASSES BATCH COUNT
# Standard input holds doubles, matrices column by column: W1, b1, W2, b2, x, t (one-hot), and COUNT
# indices into W1, from 1. Standard output gets a number a line: the seconds that their gradient took,
# then the gradient.

sizes <- as.integer(commandArgs(trailingOnly = TRUE))
inputs <- sizes[1]; hidden <- sizes[2]; classes <- sizes[3]; batch <- sizes[4]

file <- file("stdin", "rb")
read_matrix <- function(rows, columns) {
  matrix(readBin(file, "double", rows * columns), nrow = rows, ncol = columns)
}
W1 <- read_matrix(inputs, hidden)
b1 <- read_matrix(1, hidden)
W2 <- read_matrix(hidden, classes)
b2 <- read_matrix(1, classes)
x <- read_matrix(batch, inputs)
t <- read_matrix(batch, classes)
weights <- read_matrix(1, sizes[5])
close(file)

sigmoid <- function(x) {
  return(1 / (1 + exp(-x)))
}
softmax <- function(a) {
  exp_a <- exp(a - apply(a, 1, max))
  return(sweep(exp_a, 1, rowSums(exp_a), "/"))
}
cross_entropy_error <- function(y, t) {
  delta <- 1e-7
  return(-sum(t * log(y + delta)) / dim(y)[1])
}
model.forward <- function(x) {
  z1 <- sigmoid(sweep((x %*% W1), 2, b1, '+'))
  return(softmax(sweep((z1 %*% W2), 2, b2, '+')))
}
loss <- function(x, t) {
  return(cross_entropy_error(model.forward(x), t))
}
numerical_gradient_W1 <- function(f, x, t, weights) {
  h <- 1e-4
  vec <- matrix(0, nrow = nrow(W1), ncol = ncol(W1))
  for (i in weights) {
    origin <- W1[i]
    W1[i] <<- (W1[i] + h)
    fxh1 <- f(x, t)
    W1[i] <<- (W1[i] - (2 * h))
    fxh2 <- f(x, t)
    vec[i] <- (fxh1 - fxh2) / (2 * h)
    W1[i] <<- origin
  }
  return(vec)
}

started <- proc.time()[["elapsed"]]
gradient <- numerical_gradient_W1(loss, x, t, weights)
seconds <- proc.time()[["elapsed"]] - started
cat(sprintf("%.17g", c(seconds, gradient[weights])), sep = "\n")
