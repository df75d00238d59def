/**
 * The library: describe a network, open an engine for it, ask for a gradient, train.
 *
 * Everything the command line does, it does through what is exported here.
 */

export { type Backend, BACKENDS, openEngine } from "./backend.ts";
export {
  createEstimator,
  type Estimator,
  type EstimatorName,
  ESTIMATORS,
  lossEvaluations,
} from "./core/estimator.ts";
export { type Initialization, initialParameters } from "./core/initialization.ts";
export {
  type Activation,
  ACTIVATIONS,
  createNetwork,
  type Loss,
  LOSSES,
  type Network,
  type NetworkOptions,
  type ParameterTensor,
  parameterTensors,
  shapeOf,
} from "./core/network.ts";
export { type Optimizer, type OptimizerName, OPTIMIZERS } from "./core/optimizers.ts";
export { type Random, Xoshiro } from "./core/random.ts";
export { type ScheduleName, SCHEDULES } from "./core/schedule.ts";
export { drawDigits } from "./data/digits.ts";
export { idxDataSet, type IdxFiles } from "./data/idx.ts";
export { type DataSet, type Samples } from "./data/samples.ts";
export {
  type Engine,
  type EngineOptions,
  type Evaluation,
  type Gradient,
  type Method,
  METHODS,
} from "./engine.ts";
export { compareGradients, type Comparison } from "./method/gradcheck.ts";
export { train, type TrainingEvent, type TrainingOptions } from "./method/training.ts";
