/**
 * Every text of the page in English, labels for those who do not see it included. The other languages
 * have the same keys, which their type sees to. What takes numbers is a function. In plain texts
 * *x* is a variable, **x** is strong, `x` is code, and [x](url) is a link; see `rich`.
 */

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

export const en = {
  title: "Numerical gradients",
  description: "Neural networks trained by numerical gradients, on your own GPU.",
  skip: "Skip to the content",
  lead: "Nudge each weight of a neural network up and down, see how the loss changes, and step " +
    "downhill: that is all the learning there is here, and no derivative is taken.",
  achieves: "It reads 98% of handwritten test digits this way, on your own GPU.",
  parts: "Parts of this page",
  otherLanguage: "한국어",
  present: "Present",
  unpresent: "End presentation",
  presentHint: "Page keys or arrows turn the pages; Escape ends.",
  nav: {
    figure: "The idea",
    digits: "Seven digits",
    train: "Train",
    flow: "Look inside",
    race: "Race",
    check: "Check",
    files: "Files",
  },
  none: "–",

  figure: {
    title: "A living figure",
    net: "A network of two inputs and three classes; choose a weight",
    input: (value: number) => `input ${value}`,
    weight: (name: string, weight: string, slope: string) =>
      `weight ${name} = ${weight}, slope ${slope}`,
    netCaption: "Width is a weight’s size; orange is above 0, purple below. Choose one.",
    curve: "The loss along the chosen weight",
    dot: (name: string) => `weight ${name}`,
    curveCaption: "Drag the dot: the loss along that one weight, the others as they are.",
    axisWeight: (name: string) => `weight ${name}`,
    axisLoss: "loss",
    rise: "rise",
    run: "run",
    nudge: "Nudge",
    down: "Step downhill",
    play: "Play",
    pause: "Pause",
    back: "Start over",
    h: "Step",
    facts: {
      step: "Steps downhill",
      loss: "Loss",
      right: "The right class has",
    },
    nudgedDown: (name: string, loss: string) => `${name} down by h: the loss is ${loss}.`,
    nudgedUp: (name: string, loss: string) => `${name} up by h: the loss is ${loss}.`,
    rises: (name: string, slope: string) =>
      `Raise ${name}, and the loss rises by about ${slope} for each 1: downhill is down.`,
    falls: (name: string, slope: string) =>
      `Raise ${name}, and the loss falls by about ${slope} for each 1: downhill is up.`,
    stepped: (from: string, to: string) =>
      `Each of the six weights went against its slope: the loss was ${from} and is ${to}.`,
    small: (steps: number, loss: string) =>
      `After ${steps} steps the loss is small, ${loss}: it has learnt its one example.`,
    tutorial: "The tutorial’s program",
    tutorialText:
      "This network is the first one of “R로 딥러닝하기” (deep learning with R), chapter 3, a Korean " +
      "course: its [functions in R](https://github.com/LOPES-HUFS/DeepLearningFromForR). Its program " +
      "for this figure, as it stands there:",
    tutorialNumbers: "What it prints, with *h* = 1e-4, and these numbers, computed on this page:",
    gradientLabel: "The gradient at the tutorial’s weights",
    code: "The tutorial’s R code",
  },

  digits: {
    title: "Seven digits, and how they survive",
    text: "A GPU computes in float32: numbers of seven digits. The textbook’s way subtracts two " +
      "losses. With a small *h* they agree in all seven, and their difference is rounding. Here is " +
      "weight *W*[1,1] at the tutorial’s start, once through:",
    table: "The same slope, computed three ways",
    float64: "float64, 16 digits (the truth)",
    subtracted: "float32, losses subtracted",
    changes: "float32, exact change",
    up: "L(w + h)",
    down: "L(w − h)",
    difference: "difference",
    slope: "slope: difference / 2h",
    none: "not needed",
    identity:
      "The last column never subtracts losses. The nudge moves one logit, by *d* = ±*h* *x*; " +
      "with *p* the class’s share before, the loss changes by exactly",
    worked: (p: string, d: string, v: string, change: string) =>
      `Here p = ${p}, d = ${d}: p (exp(d) − 1) = ${v}, and the change is log(1 + ${v}) = ${change}. ` +
      `Nothing is dropped, and no two nearly equal numbers meet.`,
    paper: "This is divided-difference arithmetic: [Reps and Rall, 2003]" +
      "(https://research.cs.wisc.edu/wpis/abstracts/tr1415r.abs.html). The project carries it " +
      "through whole networks.",
    chart:
      "How far the slope is off, for every *h*: losses subtracted, and exact changes, both in " +
      "float32, against float64 at the same *h*.",
    describe:
      "Relative error of the slope for h from 1 to 1e-8: subtracted losses lose all digits " +
      "as h falls, exact changes keep theirs.",
    error: "relative error",
    subtractedCurve: "losses subtracted",
    changesCurve: "exact changes",
  },

  engines: {
    differences: "differences",
    copies: "copies",
    backprop: "backprop",
    straight: "straight-through",
    random: "random directions",
    meaning: {
      differences: "exact changes of nudged copies",
      copies: "nudged copies evaluated whole, their losses subtracted",
      backprop: "the chain rule, which needs derivatives",
      straight: "the chain rule with a made-up derivative for steps",
      random: "all weights nudged at once, along random directions (SPSA)",
    },
    legend: "One colour for each way to a gradient, on the whole page:",
  },

  train: {
    title: "Train",
    text:
      "A step nudges every weight both ways over a batch of digits: tens of thousands of copies " +
      "of the network. The tutorial that this grew out of warns of 8 hours for 600 steps.",
    presets: "Begin with one of these",
    settings: "All settings",
    data:
      "The page comes with digits of its own. For MNIST, choose it in the settings, or drop its " +
      "four files onto this page, or",
    chooseFiles: "choose them",
    chart: "Loss of each step, its mean over 100 steps, and the accuracy on test digits.",
    describe: "The loss and the test accuracy against steps; the latest numbers stand below.",
    step: "step",
    loss: "loss",
    mean: "mean of 100",
    accuracy: "accuracy",
    testAccuracy: "test accuracy",
    looking: "Looking for a GPU…",
    cpu: "No WebGPU here: training on the CPU, in float64",
    software: "software: no GPU is used",
    onData: (shape: string, data: string, weights: string, evaluations: string) =>
      `${shape} on ${data}: ${weights} weights, ${evaluations} loss evaluations a step.`,
    synthetic: "synthetic digits",
    preparing: "Preparing",
    preparingNetwork: (network: string) => `Preparing ${network}…`,
    cancel: "Cancel",
    cancelled: "Cancelled. Nothing is ready; Reset prepares it again.",
    backAt: (step: string) => `Paused in the middle of a slow step: it stands behind step ${step}.`,
    wrong: (settings: string) => `The address holds settings that make no sense: ${settings}.`,
    again: (message: string, step: number, go: string) =>
      `${message}. ${go} tries again from step ${step}.`,
    noGpu:
      "This browser offers no WebGPU here, so training runs on the CPU, in float64, and slower.",
    noMnist: (why: string) =>
      `MNIST could not be had (${why}), so this trains on synthetic digits; drop its four files ` +
      `onto the page to use it.`,
    resetDownloads: "Reset downloads it",
    notAt: (place: string) => `it is not at ${place}`,
    useH: (h: string) => `Use h = ${h}`,
    facts: {
      step: "Step",
      loss: "Loss",
      accuracy: "Test accuracy",
      rate: "Steps a second",
      differences: "Central differences a second",
      evaluations: "Loss evaluations a second",
      soFar: "Loss evaluations so far",
      pace: "At the tutorial’s pace",
      here: "Here",
      times: "Times as fast",
    },
    of: (step: string, steps: string) => `${step} of ${steps}`,
    hours: (hours: string) => `${hours} hours`,
    seconds: (seconds: string) => `${seconds} s`,
  },

  bar: {
    label: "The run",
    start: "Start",
    goOn: "Go on",
    pause: "Pause",
    step: "Single step",
    reset: "Reset",
    state: (step: string, steps: string, loss: string, accuracy: string) =>
      `step ${step} of ${steps} · loss ${loss} · ${accuracy} right`,
    fresh: "not trained yet",
  },

  cost: {
    measuring: "…",
    line: (step: string, all: string) => `about ${step} a step, ${all} in all`,
    unmeasured: "not measured yet",
    long: (step: string) =>
      `A step takes about ${step} here. Pause answers at once, and the step that is under way is ` +
      `taken again later.`,
    milliseconds: (value: string) => `${value} ms`,
    seconds: (value: string) => `${value} s`,
    minutes: (value: string) => `${value} min`,
    hours: (value: string) => `${value} h`,
    says: (network: string, evaluations: string, step: string, all: string) =>
      `${network}: ${evaluations} loss evaluations a step, about ${step} here; the whole run ${all}.`,
  },

  presets: {
    tutorial: ["The tutorial’s network", "784-50-10, sigmoid, plain steps, as chapter 3 has it."],
    step: [
      "Without a derivative",
      "Units that are 0 or 1: backprop has nothing to tell their weights, a nudge of h = 1 has.",
    ],
    deep: ["Deep", "Three hidden layers of 50, relu: copies share most of their work."],
    conv: ["Convolutional", "8 filters of 5x5 and a pool in front of 50 units; watch the maps."],
    best: [
      "98%",
      "The settings that read 98.6% of MNIST’s test digits; with MNIST, and some minutes.",
    ],
  } satisfies Record<string, readonly [name: string, text: string]> as Record<
    "tutorial" | "step" | "deep" | "conv" | "best",
    readonly [name: string, text: string]
  >,

  groups: {
    network: "Network and data",
    gradient: "The gradient",
    learning: "Learning",
  },
  settings: {
    network: [
      "Network",
      "Operations in order, such as conv 8x5, relu, maxpool 2, dense 50, relu. A dense layer into " +
      "the classes follows. Empty: hidden widths and activation say it.",
    ],
    data: ["Data", "Digits drawn by the page’s own code, or MNIST."],
    hidden: ["Hidden widths", "Units of each hidden layer, such as 50 or 100,50; none for none."],
    activation: [
      "Activation",
      "What a unit makes of its sum. step, sign and round have no derivative.",
    ],
    init: [
      "Fresh weights",
      "How wide they are drawn: 0.01 as in the tutorial, Xavier’s or He’s way.",
    ],
    loss: ["Loss", "How far off an answer is. zero-one is the share of wrong answers itself."],
    engine: ["Engine", "The way to the gradient; see the colours below."],
    surrogate: [
      "Made-up derivative",
      "What backprop takes for the derivative of steps; none is the true one, 0.",
    ],
    estimator: ["Estimator", "Which differences are taken of each weight, drawn beside."],
    kernel: ["Kernel", "What smoothed weighs far and near differences by."],
    points: ["Points", "Differences on either side of the weight, for smoothed."],
    queries: ["Directions", "Random directions a step, for spsa."],
    h: ["Step h", "How far a weight is nudged. Empty: what the network needs."],
    optimizer: ["Optimiser", "What is done with the gradient; sgd is the tutorial’s plain step."],
    lr: ["Learning rate", "How far a step goes. Empty: what the optimiser usually takes."],
    schedule: ["Schedule", "How the learning rate falls over the run."],
    decay: ["Weight decay", "Draws weights towards 0 at each step; 0 for none."],
    batch: ["Batch", "Digits that a step looks at."],
    steps: ["Steps", "Raised later, the run goes on; with a schedule it begins anew."],
    seed: ["Seed", "The same seed gives the same run, on the same adapter."],
  } satisfies Record<string, readonly [label: string, meaning: string]> as Record<
    SettingName,
    readonly [label: string, meaning: string]
  >,
  complaints: {
    positiveOrEmpty: "a positive number, or nothing",
    notNegative: "a number from 0",
    whole: (most: string) => `a whole number from 1 to ${most}`,
    seed: "a whole number to 4294967295",
    hidden: "widths such as 50 or 100,50 or none",
    give: (label: string, what: string) => `${label}: give ${what}.`,
  },
  networkPlaceholder: "none: hidden widths and activation say it",

  sees: {
    title: "What the estimator sees",
    formulas: {
      forward: "(L(w + h) − L(w)) / h",
      central: "(L(w + h) − L(w − h)) / 2h",
      "five-point": "(8 (L(w + h) − L(w − h)) − L(w + 2h) + L(w − 2h)) / 12h",
      smoothed: "Σ c[k] (L(w + x[k]) − L(w − x[k])), with c[k] in proportion to −G′(x[k])",
      spsa: "(L(w + h s) − L(w − h s)) / 2h along a random direction s of signs, for all weights",
    } as Record<"forward" | "central" | "five-point" | "smoothed" | "spsa", string>,
    smoothed:
      "The slope of the loss smoothed along the weight, by a kernel *G* of the scale *h*. A " +
      "unit with steps that would flip at a distance *t* counts about *G*(*t*): near ones much, far " +
      "ones little, where a central difference sees all within *h* alike and none beyond.",
    caption: "The weight of each evaluated loss in the sum, over how far the weight is nudged.",
    describe: (points: number, reach: string) =>
      `${points} evaluations at distances up to ${reach}, and their weights in the sum`,
  },

  flow: {
    title: "Look inside",
    text:
      "One digit goes through the network from left to right. Draw one, or take a test digit. All " +
      "that is shown together is of one moment of the training.",
    moment: (step: string) => `All of this is of step ${step}.`,
    untrained: "These weights are not trained yet: press Start.",
    input: "Input",
    draw: "Draw here",
    pad: "Drawing pad; press 0 to 9 for a drawn example",
    clear: "Clear",
    testDigit: "Test digit",
    seen: "What the network sees",
    ofTest: (place: number, label: number) => `test digit ${place}, a ${label}`,
    ofDrawing: "the digit that is drawn",
    shown: (what: string) => `Shown: ${what}.`,
    units: (count: number) => `${count} hidden units`,
    filters: (count: number) => `${count} filters`,
    classes: "Classes",
    unitsText:
      "Left the weights of a unit, right how each has to move (orange up, purple down), below " +
      "them what the unit makes of the digit. Choose a pixel to see the loss along its weight.",
    filtersText:
      "Left a filter, right how each of its weights has to move (orange up, purple down). " +
      "Choose a cell to see the loss along its weight.",
    noGradient: "How the weights have to move takes a slow network long: Look now shows it.",
    unit: (place: number) => `Hidden unit ${place}`,
    filter: (place: number) => `Filter ${place}`,
    unitValue: (name: string, value: string) => `${name}: ${value}`,
    list: (what: string) => `${what}; arrow keys choose one, Enter opens it`,
    lookNow: "Look now",
    more: (shown: number, count: number) => `The first ${shown} of ${count} are shown.`,
    layer: (name: string, largest: string) => `${name}: up to ${largest}`,
    maps: (count: number, seen: string, behind: string) =>
      `${count} maps of ${seen}, behind ${behind}`,
    values: (count: number, behind: string) => `${count} values behind ${behind}`,
    guess: (digit: number, share: string) => `The network takes it for a ${digit} (${share}).`,
    notTrained: "Not trained yet: it can only guess. Press Start.",
    nothing: "Nothing is drawn yet: this is a test digit.",
    otherSize: "This network reads images of another size.",
    probability: (digit: number) => `probability of ${digit}`,
    slice: (
      { name, row, column, weight, slope, h, copies, samples, step }: {
        name: string;
        row: number;
        column: number;
        weight: string;
        slope: string;
        h: string;
        copies: number;
        samples: number;
        step: string;
      },
    ) =>
      `${name}, row ${row}, column ${column}: weight ${weight}, slope ${slope} by nudges of h = ${h}. ` +
      `The curve is ${copies} copies of the network of step ${step}, each evaluated whole over ` +
      `${samples} samples, in float64.`,
    slicePicture: (name: string) => `Weights of ${name}; arrow keys move, Enter shows the loss`,
    sliceDescribe: "The loss along one weight, and its secant.",
    sliceX: "change of the weight",
    secant: "secant",
    alongWeight: "L(w + d)",
    close: "Close",
    confusion: "What is taken for what",
    confusionLabel: "Confusion of classes",
    confusionCaption: "Rows: what it is. Columns: what it is taken for.",
    tooMany: (classes: number) => `${classes} classes: too many for a table.`,
    worst: "The worst mistakes",
    noneYet: "None yet: train a little first.",
    mistake: (label: number, guess: number) => `${label}, not ${guess}`,
    mistakeLabel: (label: number, guess: number) => `a ${label}, taken for ${guess}`,
  },

  race: {
    title: "Race",
    text:
      "Five ways to the gradient, from the same weights over the same batches. A small network, " +
      "49-10-10 on digits of 7 by 7 pixels, as whole copies are slow. With step units there is no " +
      "derivative to propagate: backprop’s first layer stands still, unless one is made up. Random " +
      "directions are the mean of 100 a step, with a fifth of the others’ learning rate.",
    smooth: "Race with sigmoid units",
    steps: "Race with step units",
    stop: "Stop",
    bySteps: "Loss against steps (mean of 20).",
    bySeconds: "Loss against each one’s own time.",
    describe: (x: string) => `Loss against ${x}; the table below has the latest numbers.`,
    stepsAxis: "steps",
    secondsAxis: "seconds",
    table: "The race in numbers",
    engine: "way",
    loss: "loss",
    accuracy: "test accuracy",
    seconds: "seconds",
    each: "ms a step",
    cosine: "cosine to backprop’s gradient",
    same: (names: string, largest: string) =>
      `${names}: these are the same curve (no loss differs by more than ${largest}).`,
    isBackprop:
      "Sigmoid units have a derivative, so there is nothing to make up: straight-through is " +
      "backprop here.",
    failed: (message: string) => `The race ended: ${message}`,
  },

  check: {
    title: "Check your GPU",
    text:
      "The gradient of this adapter against float64, tensor by tensor, over *h*, and every kernel " +
      "on its own.",
    run: "Check",
    checking: "Checking…",
    comparing: "Comparing every kernel…",
    badge: {
      unchecked: (adapter: string) => `${adapter}: not checked`,
      checking: (adapter: string) => `${adapter}: checking…`,
      right: (adapter: string) => `${adapter}: checked, right`,
      off: (adapter: string) => `${adapter}: OFF`,
    },
    table: "The check in numbers",
    parity: "Every kernel against float64",
    tensor: "tensor",
    shape: "shape",
    error: "relative error",
    largest: "largest difference",
    at: "at",
    fromBackprop: "from backprop",
    compared: "compared",
    bound: "bound",
    right: "right",
    off: "OFF",
    gradients: (adapter: string, tolerance: number) =>
      `${adapter}: every tensor is within ${tolerance} of float64`,
    gradientsOff: (adapter: string, tolerance: number) =>
      `${adapter}: not every tensor is within ${tolerance} of float64`,
    none: "there is no GPU to compare",
    allRight: (rows: number) => `all ${rows} comparisons below are right`,
    someOff: (off: number, rows: number) =>
      `${off} of the ${rows} comparisons below are OFF: please report them`,
    chart: "Relative error against float64 central differences at the same *h*.",
    describe: "Relative error of both numerical engines over h.",
    cpu: "CPU, float64",
  },

  files: {
    title: "Files and links",
    text:
      "Weights go out and in as HDF5 (NumPy, R) or safetensors; losses as CSV or JSON. The page’s " +
      "address holds all settings: a link reproduces a run.",
    h5: "Weights as .h5",
    safetensors: "Weights as .safetensors",
    csv: "Losses as CSV",
    json: "Losses as JSON",
    load: "Load weights",
    link: "Copy the link",
    saved: (name: string) => `Saved ${name}.`,
    copied: (link: string) => `Copied ${link}`,
    cannotCopy: (link: string) => `The browser does not let the page copy; the link is ${link}`,
    loaded: (name: string, shape: string) => `Loaded ${name}: ${shape}.`,
    dropped: (train: number, test: number) =>
      `The dropped data: ${train} training and ${test} test samples.`,
    missing: (part: string) =>
      `Cannot use these files: the ${part} are missing; give all four of MNIST’s files, named as they ` +
      `were: train-images…, train-labels…, t10k-images…, t10k-labels…`,
    trainImages: "training images",
    trainLabels: "training labels",
    testImages: "test images",
    testLabels: "test labels",
    picture: "Save as a picture",
    pictureOf: (what: string) => `Save as a picture: ${what}`,
  },
  lend: {
    title: "This tab is lent",
    lead:
      "It computes pieces of a gradient for a neural network that trains elsewhere. It runs nothing " +
      "that it is sent, and takes no data from this computer.",
    connecting: "Looking for the server.",
    waiting: "Waiting for a run to begin.",
    loading: "Loading the data.",
    ready: "Ready.",
    computing: "Computing.",
    stopped: "Stopped. Nothing is computed any more.",
    failed: "Cannot lend this tab: its worker failed.",
    stop: "Stop",
    start: "Lend this tab again",
    facts: {
      network: "Network",
      adapter: "Computed on",
      step: "Step",
      slices: "Slices",
      numbers: "Central differences",
      rate: "Differences a second",
    },
  },
  footer: "Everything is computed on this page. Theory: [Reps and Rall, 2003]" +
    "(https://research.cs.wisc.edu/wpis/abstracts/tr1415r.abs.html). Tutorial: " +
    "[R로 딥러닝하기](https://github.com/LOPES-HUFS/DeepLearningFromForR). Source: " +
    "[the program this page is built from](source.txt).",

  percent,
  number: (value: number) => Math.round(value).toLocaleString("en"),
  compact: (value: number) =>
    new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(value),
  /** An error’s sentence: the library speaks English. */
  error: (message: string) => message,
};

/** The settings by the names that the address gives them. */
export type SettingName =
  | "network"
  | "data"
  | "hidden"
  | "activation"
  | "init"
  | "loss"
  | "engine"
  | "surrogate"
  | "estimator"
  | "kernel"
  | "points"
  | "queries"
  | "h"
  | "optimizer"
  | "lr"
  | "schedule"
  | "decay"
  | "batch"
  | "steps"
  | "seed";

/** A catalogue: every key of the English one. */
export type Catalogue = typeof en;
