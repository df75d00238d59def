/**
 * The library: describe a network, open an engine for it, ask for a gradient, train. It exports what
 * the command line and the page compute with.
 */

export { type Backend, BACKENDS, openEngine } from "./backend.ts";
export {
  createEstimator,
  type Estimator,
  type EstimatorName,
  ESTIMATORS,
  lossEvaluations,
  rateFor,
  SMOOTHING_KERNELS,
  type SmoothingKernel,
  stepFor,
} from "./core/estimator.ts";
export { type Initialization, initialParameters } from "./core/initialization.ts";
export {
  type Activation,
  ACTIVATIONS,
  connect,
  createNetwork,
  DATA,
  type Loss,
  LOSSES,
  MAX_CLASSES,
  type Network,
  type NetworkOptions,
  type Node,
  type ParameterTensor,
  parameterTensors,
  parseNodes,
  type Shape,
  shapeOf,
  skippedInput,
  textOfNodes,
} from "./core/network.ts";
export {
  type LayerPlan,
  type Plan,
  planOf,
  type PlanOptions,
  type Stage,
  type Way,
} from "./core/plan.ts";
export {
  type Optimizer,
  type OptimizerName,
  OPTIMIZERS,
  type OptimizerState,
} from "./core/optimizers.ts";
export { createRandom, type GeneratorName, GENERATORS } from "./core/generators.ts";
export { nextSample, type Random, Xoshiro } from "./core/random.ts";
export { type Surrogate, type SurrogateName, SURROGATES } from "./core/surrogate.ts";
export { type ScheduleName, SCHEDULES } from "./core/schedule.ts";
export { drawDigits } from "./data/digits.ts";
export { idxDataSet, type IdxFiles } from "./data/idx.ts";
export {
  type DataSet,
  densityOf,
  type Labels,
  type Samples,
  withValidation,
} from "./data/samples.ts";
export { readTensors, type Tensor, type Tensors, writeTensors } from "./data/tensors.ts";
export {
  asTensors,
  batchIn,
  inLayout,
  type Layout,
  LAYOUTS,
  parametersIn,
  weightsIn,
} from "./data/weights.ts";
export {
  type Engine,
  EngineLost,
  type EngineOptions,
  type Evaluation,
  type Gradient,
  type Method,
  METHODS,
} from "./engine.ts";
export { checkGradients } from "./check.ts";
export type { GradientCheck, Numbers } from "./method/check_gradients.ts";
export { CHECK_STEP, CHECK_TOLERANCE, NotFinite } from "./method/checked.ts";
export { type Diagnosis } from "./method/diagnosis.ts";
export { flipNotice } from "./method/flips.ts";
export { compareGradients, type Comparison } from "./method/gradcheck.ts";
export { GradientReport, type TensorReport, WrongGradient } from "./method/report.ts";
export { roundingNotice } from "./method/rounding.ts";
export { type Checked, type Verdict } from "./method/verdict.ts";
export { placesByName } from "./method/values.ts";
export { train, type TrainingEvent, type TrainingOptions } from "./method/training.ts";
