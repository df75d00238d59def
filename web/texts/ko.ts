/** Every text of the page in Korean. */

import type { Catalogue } from "./en.ts";
import { inKorean } from "./errors.ts";

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

export const ko: Catalogue = {
  title: "수치 미분으로 배우는 신경망",
  description: "내 GPU에서 수치 미분만으로 학습하는 신경망.",
  skip: "본문으로 건너뛰기",
  lead:
    "신경망의 가중치를 하나씩 위아래로 조금 움직여 손실이 어떻게 변하는지 보고, 내리막으로 한 걸음 내디딥니다. 이것이 여기서 하는 학습의 전부이며, 도함수는 전혀 구하지 않습니다.",
  achieves: "이 방법만으로 손글씨 시험 숫자의 98%를 내 GPU에서 읽어 냅니다.",
  parts: "이 페이지의 차례",
  otherLanguage: "English",
  present: "발표 모드",
  unpresent: "발표 끝내기",
  presentHint: "Page Up, Page Down이나 화살표로 넘기고 Esc로 끝냅니다.",
  nav: {
    figure: "기본 생각",
    digits: "일곱 자리 숫자",
    train: "학습",
    flow: "안을 들여다보기",
    race: "경주",
    check: "검사",
    files: "파일",
  },
  none: "–",

  figure: {
    title: "움직이는 그림",
    net: "입력 두 개와 클래스 세 개로 된 신경망. 가중치를 고르세요",
    input: (value) => `입력 ${value}`,
    weight: (name, weight, slope) => `가중치 ${name} = ${weight}, 기울기 ${slope}`,
    netCaption: "선의 굵기는 가중치의 크기입니다. 주황은 양수, 보라는 음수입니다. 하나를 고르세요.",
    curve: "고른 가중치에 따른 손실",
    dot: (name) => `가중치 ${name}`,
    curveCaption: "점을 끌어 보세요. 다른 가중치는 그대로 두고 그 하나만 바꿀 때의 손실입니다.",
    axisWeight: (name) => `가중치 ${name}`,
    axisLoss: "손실",
    rise: "높이의 변화",
    run: "너비",
    nudge: "조금 움직이기",
    down: "한 걸음 내려가기",
    play: "계속하기",
    pause: "멈추기",
    back: "처음으로",
    h: "간격",
    facts: {
      step: "내려간 걸음",
      loss: "손실",
      right: "정답 클래스의 확률",
    },
    nudgedDown: (name, loss) => `${name}에서 h를 빼면 손실은 ${loss}입니다.`,
    nudgedUp: (name, loss) => `${name}에 h를 더하면 손실은 ${loss}입니다.`,
    rises: (name, slope) =>
      `${name}을 키우면 손실은 1마다 약 ${slope}씩 커집니다. 내리막은 줄이는 쪽입니다.`,
    falls: (name, slope) =>
      `${name}을 키우면 손실은 1마다 약 ${slope}씩 작아집니다. 내리막은 키우는 쪽입니다.`,
    stepped: (from, to) =>
      `여섯 가중치가 저마다 기울기의 반대쪽으로 움직여 손실이 ${from}에서 ${to}로 바뀌었습니다.`,
    small: (steps, loss) =>
      `${steps}걸음 만에 손실이 ${loss}로 작아졌습니다. 예제 하나를 배운 것입니다.`,
    tutorial: "강의에 나오는 프로그램",
    tutorialText:
      "이 신경망은 “R로 딥러닝하기” 3장에 처음 나오는 모델입니다. [R 함수 모음](https://github.com/LOPES-HUFS/DeepLearningFromForR)은 여기에 있습니다. 이 그림에 해당하는 프로그램을 그대로 옮기면 다음과 같습니다.",
    tutorialNumbers:
      "*h* = 1e-4일 때 이 프로그램이 출력하는 값이며, 이 페이지에서 다시 계산한 것입니다.",
    gradientLabel: "강의의 가중치에서 구한 기울기",
    code: "강의의 R 코드",
  },

  digits: {
    title: "일곱 자리 숫자가 살아남는 법",
    text:
      "GPU는 float32, 곧 일곱 자리 숫자로 계산합니다. 교과서의 방법은 두 손실의 차를 구합니다. *h*가 작으면 두 손실은 일곱 자리가 모두 같아지고, 차에는 반올림 오차만 남습니다. 강의의 시작 가중치에서 *W*[1,1]을 한 번 끝까지 따라가 봅시다.",
    table: "같은 기울기를 세 가지로 계산한 값",
    float64: "float64, 16자리 (참값)",
    subtracted: "float32, 손실의 차",
    changes: "float32, 정확한 변화량",
    up: "L(w + h)",
    down: "L(w − h)",
    difference: "차",
    slope: "기울기: 차 / 2h",
    none: "필요 없음",
    identity:
      "마지막 열은 손실끼리 빼지 않습니다. 가중치를 움직이면 점수 하나가 *d* = ±*h* *x*만큼 변합니다. 그 클래스의 원래 확률을 *p*라 하면 손실의 변화량은 정확히 다음과 같습니다.",
    worked: (p, d, v, change) =>
      `여기서는 p = ${p}, d = ${d}이므로 p (exp(d) − 1) = ${v}이고, 변화량은 log(1 + ${v}) = ${change}입니다. 버린 항이 없고, 거의 같은 두 수를 빼는 일도 없습니다.`,
    paper:
      "이것을 분할 차분 산술이라고 합니다: [Reps and Rall, 2003](https://research.cs.wisc.edu/wpis/abstracts/tr1415r.abs.html). 이 프로젝트는 이를 신경망 전체에 적용합니다.",
    chart:
      "*h*에 따른 기울기의 상대 오차. 손실의 차와 정확한 변화량을 모두 float32로 구해 같은 *h*의 float64 값과 비교했습니다.",
    describe:
      "h가 1에서 1e-8까지일 때 기울기의 상대 오차. 손실의 차는 h가 작아질수록 자릿수를 모두 잃고, 정확한 변화량은 그대로 지킵니다.",
    error: "상대 오차",
    subtractedCurve: "손실의 차",
    changesCurve: "정확한 변화량",
  },

  engines: {
    differences: "차분",
    copies: "복사본",
    backprop: "오차역전파",
    straight: "직통 추정",
    random: "무작위 방향",
    meaning: {
      differences: "조금 움직인 복사본의 정확한 변화량",
      copies: "조금 움직인 복사본을 통째로 계산하고 손실을 빼기",
      backprop: "도함수가 있어야 하는 연쇄 법칙",
      straight: "계단 함수의 도함수를 지어내어 쓰는 연쇄 법칙",
      random: "모든 가중치를 무작위 방향으로 한꺼번에 움직이기 (SPSA)",
    },
    legend: "기울기를 구하는 방법마다 한 가지 색을 이 페이지 전체에서 씁니다.",
  },

  train: {
    title: "학습",
    text:
      "한 단계마다 숫자 그림 한 배치에 대해 모든 가중치를 양쪽으로 움직입니다. 곧 신경망의 복사본 수만 개를 계산합니다. 이 페이지가 출발점으로 삼은 강의는 600단계에 8시간이 걸린다고 알려 줍니다.",
    presets: "이 가운데 하나로 시작해 보세요",
    settings: "모든 설정",
    data:
      "이 페이지에는 직접 그린 숫자가 들어 있습니다. MNIST를 쓰려면 설정에서 고르거나, 파일 네 개를 이 페이지에 끌어다 놓거나,",
    chooseFiles: "파일을 고르세요",
    chart: "단계마다의 손실, 100단계 평균, 시험 숫자에 대한 정확도.",
    describe: "단계에 따른 손실과 시험 정확도. 최신 값은 아래에 있습니다.",
    step: "단계",
    loss: "손실",
    mean: "100단계 평균",
    accuracy: "정확도",
    testAccuracy: "시험 정확도",
    looking: "GPU를 찾는 중…",
    cpu: "WebGPU가 없어 CPU에서 float64로 학습합니다",
    software: "소프트웨어: GPU를 쓰지 않음",
    onData: (shape, data, weights, evaluations) =>
      `${data}에 대한 ${shape}: 가중치 ${weights}개, 한 단계에 손실 계산 ${evaluations}번.`,
    synthetic: "직접 그린 숫자",
    preparing: "준비 중",
    preparingNetwork: (network) => `${network} 준비 중…`,
    cancel: "취소",
    cancelled: "취소했습니다. 준비된 것이 없습니다. 다시 준비하려면 초기화를 누르세요.",
    backAt: (step) => `느린 단계의 도중에 멈추어, ${step}단계를 마친 상태에 있습니다.`,
    wrong: (settings) => `주소에 알 수 없는 설정이 있습니다: ${settings}.`,
    again: (message, step, go) => `${message} ${go}를 누르면 ${step}단계부터 다시 시도합니다.`,
    noGpu: "이 브라우저에는 WebGPU가 없어 CPU에서 float64로, 더 느리게 학습합니다.",
    noMnist: (why) =>
      `MNIST를 가져오지 못해(${why}) 직접 그린 숫자로 학습합니다. MNIST를 쓰려면 파일 네 개를 이 페이지에 끌어다 놓으세요.`,
    resetDownloads: "초기화를 누르면 내려받습니다",
    notAt: (place) => `${place}에 없음`,
    useH: (h) => `h = ${h} 쓰기`,
    facts: {
      step: "단계",
      loss: "손실",
      accuracy: "시험 정확도",
      rate: "초당 단계",
      differences: "초당 중앙 차분",
      evaluations: "초당 손실 계산",
      soFar: "지금까지의 손실 계산",
      pace: "강의의 속도라면",
      here: "여기서는",
      times: "빠르기 (배)",
    },
    of: (step, steps) => `${step} / ${steps}`,
    hours: (hours) => `${hours}시간`,
    seconds: (seconds) => `${seconds}초`,
  },

  bar: {
    label: "학습 진행",
    start: "시작",
    goOn: "이어서",
    pause: "멈추기",
    step: "한 단계",
    reset: "초기화",
    state: (step, steps, loss, accuracy) =>
      `${step} / ${steps}단계 · 손실 ${loss} · 정확도 ${accuracy}`,
    fresh: "아직 학습하지 않음",
  },

  cost: {
    measuring: "…",
    line: (step, all) => `한 단계 약 ${step}, 모두 ${all}`,
    unmeasured: "아직 재지 않음",
    long: (step) =>
      `여기서는 한 단계에 약 ${step}가 걸립니다. 멈추기는 곧바로 듣고, 하던 단계는 나중에 다시 합니다.`,
    milliseconds: (value) => `${value}밀리초`,
    seconds: (value) => `${value}초`,
    minutes: (value) => `${value}분`,
    hours: (value) => `${value}시간`,
    says: (network, evaluations, step, all) =>
      `${network}: 한 단계에 손실 계산 ${evaluations}번, 여기서 약 ${step}. 전체는 ${all}.`,
  },

  presets: {
    tutorial: ["강의의 신경망", "784-50-10, 시그모이드, 확률적 경사 하강법. 3장 그대로입니다."],
    step: [
      "도함수 없이",
      "값이 0 또는 1인 은닉 유닛. 오차역전파는 그 가중치에 알려 줄 것이 없지만, h = 1만큼 움직이면 알 수 있습니다.",
    ],
    deep: ["깊은 신경망", "50개짜리 은닉층 셋, relu. 복사본들이 계산을 대부분 함께 씁니다."],
    conv: ["합성곱 신경망", "5x5 필터 8개와 풀링, 은닉 유닛 50개. 특징 맵을 지켜보세요."],
    best: ["98%", "MNIST 시험 숫자의 98.6%를 읽는 설정. MNIST와 몇 분의 시간이 필요합니다."],
  },

  groups: {
    network: "신경망과 데이터",
    gradient: "기울기",
    learning: "학습 방법",
  },
  settings: {
    network: [
      "신경망",
      "차례로 적은 연산. 예: conv 8x5, relu, maxpool 2, dense 50, relu. 마지막에 출력층이 붙습니다. 비워 두면 은닉층 너비와 활성화 함수를 따릅니다.",
    ],
    data: ["데이터", "이 페이지가 직접 그린 숫자(digits) 또는 MNIST."],
    hidden: ["은닉층 너비", "은닉층마다의 유닛 수. 예: 50 또는 100,50. 없으면 none."],
    activation: [
      "활성화 함수",
      "유닛이 가중합으로 만드는 값. step, sign, round에는 쓸모 있는 도함수가 없습니다.",
    ],
    init: ["초깃값", "가중치 초깃값의 표준편차. 강의의 0.01, Xavier 또는 He."],
    loss: [
      "손실 함수",
      "답이 얼마나 틀렸는지 나타냅니다. zero-one은 틀린 답의 비율 그 자체입니다.",
    ],
    engine: ["계산 방법", "기울기를 구하는 방법. 아래 경주에 설명이 있습니다."],
    surrogate: [
      "지어낸 도함수",
      "오차역전파가 계단 함수의 도함수로 삼는 것. none은 참값 0입니다.",
    ],
    estimator: ["차분 공식", "가중치마다 어떤 차분을 쓸지 정합니다. 아래 그림을 보세요."],
    kernel: ["커널", "smoothed에서 먼 차분과 가까운 차분에 주는 무게."],
    points: ["점의 수", "smoothed에서 가중치의 양쪽에 두는 차분의 수."],
    queries: ["방향의 수", "spsa에서 한 단계에 쓰는 무작위 방향의 수."],
    h: ["간격 h", "가중치를 얼마나 움직일지 정합니다. 비워 두면 신경망에 맞춥니다."],
    optimizer: ["최적화 기법", "기울기로 가중치를 갱신하는 방법. sgd가 강의의 방법입니다."],
    lr: ["학습률", "한 번에 얼마나 갱신할지 정합니다. 비워 두면 기법에 맞춥니다."],
    schedule: ["학습률 계획", "학습이 진행되면서 학습률을 줄이는 방법."],
    decay: ["가중치 감소", "단계마다 가중치를 0 쪽으로 당깁니다. 0이면 쓰지 않습니다."],
    batch: ["배치 크기", "한 단계에 보는 숫자 그림의 수."],
    steps: ["단계 수", "나중에 늘리면 이어서 학습합니다. 학습률 계획이 있으면 처음부터 합니다."],
    seed: ["난수 시드", "같은 장치에서 시드가 같으면 학습도 똑같습니다."],
  },
  complaints: {
    positiveOrEmpty: "양수 또는 빈칸",
    notNegative: "0 이상의 수",
    whole: (most) => `1부터 ${most}까지의 정수`,
    seed: "4294967295까지의 정수",
    hidden: "50, 100,50 같은 너비 또는 none",
    give: (label, what) => `${label}: 가능한 값은 ${what}입니다.`,
  },
  networkPlaceholder: "비어 있음: 은닉층 너비와 활성화 함수를 따름",

  sees: {
    title: "이 공식이 보는 것",
    formulas: {
      forward: "(L(w + h) − L(w)) / h",
      central: "(L(w + h) − L(w − h)) / 2h",
      "five-point": "(8 (L(w + h) − L(w − h)) − L(w + 2h) + L(w − 2h)) / 12h",
      smoothed: "Σ c[k] (L(w + x[k]) − L(w − x[k])), c[k]는 −G′(x[k])에 비례",
      spsa: "(L(w + h s) − L(w − h s)) / 2h, s는 모든 가중치에 대한 무작위 부호의 방향",
    },
    smoothed:
      "가중치를 따라 폭이 *h*인 커널 *G*로 매끄럽게 한 손실의 기울기입니다. 거리 *t*에서 뒤집히는 계단 유닛은 약 *G*(*t*)만큼 셈에 들어갑니다. 가까우면 많이, 멀면 조금입니다. 중앙 차분은 *h* 안의 것을 모두 똑같이 보고 그 밖은 보지 못합니다.",
    caption: "가중치를 움직인 거리에 따라, 계산한 손실마다 합에 들어가는 무게.",
    describe: (points, reach) => `거리 ${reach}까지의 손실 계산 ${points}개와 합에 들어가는 무게`,
  },

  flow: {
    title: "안을 들여다보기",
    text:
      "숫자 하나가 신경망을 왼쪽에서 오른쪽으로 지나갑니다. 직접 그리거나 시험 숫자를 고르세요. 함께 보이는 것은 모두 학습의 같은 순간입니다.",
    moment: (step) => `모두 ${step}단계의 모습입니다.`,
    untrained: "이 가중치는 아직 학습하지 않았습니다. 시작을 누르세요.",
    input: "입력",
    draw: "여기에 그리세요",
    pad: "그림판. 0에서 9까지 누르면 숫자를 그려 줍니다",
    clear: "지우기",
    testDigit: "시험 숫자",
    seen: "신경망이 보는 그림",
    ofTest: (place, label) => `${place}번째 시험 숫자, 정답 ${label}`,
    ofDrawing: "직접 그린 숫자",
    shown: (what) => `보이는 것: ${what}.`,
    units: (count) => `은닉 유닛 ${count}개`,
    filters: (count) => `필터 ${count}개`,
    classes: "클래스",
    unitsText:
      "왼쪽은 유닛의 가중치, 오른쪽은 가중치마다 움직여야 할 쪽(주황은 위로, 보라는 아래로), 아래는 유닛이 이 숫자로 만든 값입니다. 픽셀을 고르면 그 가중치에 따른 손실을 볼 수 있습니다.",
    filtersText:
      "왼쪽은 필터, 오른쪽은 가중치마다 움직여야 할 쪽(주황은 위로, 보라는 아래로)입니다. 칸을 고르면 그 가중치에 따른 손실을 볼 수 있습니다.",
    noGradient:
      "느린 신경망에서는 움직일 쪽을 구하는 데 오래 걸립니다. 지금 보기를 누르면 보여 줍니다.",
    unit: (place) => `은닉 유닛 ${place}`,
    filter: (place) => `필터 ${place}`,
    unitValue: (name, value) => `${name}: ${value}`,
    list: (what) => `${what}. 화살표로 고르고 Enter로 엽니다`,
    lookNow: "지금 보기",
    more: (shown, count) => `${count}개 가운데 처음 ${shown}개를 보여 줍니다.`,
    layer: (name, largest) => `${name}: 최대 ${largest}`,
    maps: (count, seen, behind) => `${seen}의 특징 맵 ${count}개, ${behind} 다음`,
    values: (count, behind) => `${behind} 다음의 값 ${count}개`,
    guess: (digit, share) => `신경망은 ${digit}(으)로 읽습니다 (${share}).`,
    notTrained: "아직 학습하지 않아 찍을 수밖에 없습니다. 시작을 누르세요.",
    nothing: "아직 그린 것이 없어 시험 숫자를 보여 줍니다.",
    otherSize: "이 신경망은 다른 크기의 그림을 읽습니다.",
    probability: (digit) => `${digit}일 확률`,
    slice: ({ name, row, column, weight, slope, h, copies, samples, step }) =>
      `${name}, ${row}행 ${column}열: 가중치 ${weight}, h = ${h}로 구한 기울기 ${slope}. 곡선은 ${step}단계 신경망의 복사본 ${copies}개를 표본 ${samples}개에 대해 float64로 하나씩 통째로 계산한 것입니다.`,
    slicePicture: (name) => `${name}의 가중치. 화살표로 움직이고 Enter로 손실을 봅니다`,
    sliceDescribe: "가중치 하나에 따른 손실과 할선.",
    sliceX: "가중치의 변화",
    secant: "할선",
    alongWeight: "L(w + d)",
    close: "닫기",
    confusion: "무엇을 무엇으로 읽었나",
    confusionLabel: "혼동 행렬",
    confusionCaption: "행: 정답. 열: 신경망의 답.",
    tooMany: (classes) => `클래스가 ${classes}개라 표로 보이기에는 너무 많습니다.`,
    worst: "가장 크게 틀린 것",
    noneYet: "아직 없습니다. 먼저 조금 학습해 보세요.",
    mistake: (label, guess) => `${label}인데 ${guess}`,
    mistakeLabel: (label, guess) => `${label}을(를) ${guess}(으)로 읽음`,
  },

  race: {
    title: "경주",
    text:
      "기울기를 구하는 다섯 가지 방법이 같은 가중치에서 출발해 같은 배치를 봅니다. 복사본을 통째로 계산하면 느리므로 7 x 7 픽셀 숫자에 대한 작은 신경망 49-10-10을 씁니다. 계단 유닛에는 전파할 도함수가 없어, 지어내지 않으면 오차역전파의 첫 층은 멈춰 있습니다. 무작위 방향은 한 단계에 100개를 평균하고 학습률은 다른 것의 5분의 1입니다.",
    smooth: "시그모이드 유닛으로 경주",
    steps: "계단 유닛으로 경주",
    stop: "그만",
    bySteps: "단계에 따른 손실 (20단계 평균).",
    bySeconds: "각자 쓴 시간에 따른 손실.",
    describe: (x) => `${x}에 따른 손실. 최신 값은 아래 표에 있습니다.`,
    stepsAxis: "단계",
    secondsAxis: "초",
    table: "숫자로 본 경주",
    engine: "방법",
    loss: "손실",
    accuracy: "시험 정확도",
    seconds: "초",
    each: "단계당 밀리초",
    cosine: "오차역전파 기울기와의 코사인",
    same: (names, largest) => `${names}: 같은 곡선입니다 (손실의 차가 ${largest}을 넘지 않음).`,
    isBackprop:
      "시그모이드 유닛에는 도함수가 있어 지어낼 것이 없습니다. 직통 추정이 곧 오차역전파입니다.",
    failed: (message) => `경주가 끝났습니다: ${message}`,
  },

  check: {
    title: "내 GPU 검사",
    text:
      "이 장치에서 구한 기울기를 텐서마다, *h*마다 float64와 비교하고, 커널도 하나하나 비교합니다.",
    run: "검사하기",
    checking: "검사 중…",
    comparing: "커널을 하나하나 비교하는 중…",
    badge: {
      unchecked: (adapter) => `${adapter}: 검사 전`,
      checking: (adapter) => `${adapter}: 검사 중…`,
      right: (adapter) => `${adapter}: 검사 결과 맞음`,
      off: (adapter) => `${adapter}: 어긋남`,
    },
    table: "숫자로 본 검사",
    parity: "커널마다 float64와 비교",
    tensor: "텐서",
    shape: "모양",
    error: "상대 오차",
    largest: "가장 큰 차",
    at: "위치",
    fromBackprop: "오차역전파와의 오차",
    compared: "비교한 것",
    bound: "허용 한계",
    right: "맞음",
    off: "어긋남",
    gradients: (adapter, tolerance) =>
      `${adapter}: 모든 텐서가 float64와 ${tolerance} 이내로 맞습니다`,
    gradientsOff: (adapter, tolerance) =>
      `${adapter}: float64와 ${tolerance} 넘게 어긋나는 텐서가 있습니다`,
    none: "비교할 GPU가 없습니다",
    allRight: (rows) => `아래 비교 ${rows}개가 모두 맞습니다`,
    someOff: (off, rows) => `아래 비교 ${rows}개 가운데 ${off}개가 어긋납니다. 알려 주세요`,
    chart: "같은 *h*의 float64 중앙 차분에 대한 상대 오차.",
    describe: "h에 따른 두 수치 미분 방법의 상대 오차.",
    cpu: "CPU, float64",
  },

  files: {
    title: "파일과 링크",
    text:
      "가중치는 HDF5(NumPy, R)나 safetensors로, 손실은 CSV나 JSON으로 주고받습니다. 주소에 모든 설정이 들어 있어 링크만 있으면 학습을 그대로 되풀이할 수 있습니다.",
    h5: "가중치를 .h5로",
    safetensors: "가중치를 .safetensors로",
    csv: "손실을 CSV로",
    json: "손실을 JSON으로",
    load: "가중치 불러오기",
    link: "링크 복사",
    saved: (name) => `${name}에 저장했습니다.`,
    copied: (link) => `${link} 주소를 복사했습니다`,
    cannotCopy: (link) => `브라우저가 복사를 허락하지 않습니다. 링크는 ${link}`,
    loaded: (name, shape) => `${name}을(를) 불러왔습니다: ${shape}.`,
    dropped: (train, test) => `끌어다 놓은 데이터: 훈련 표본 ${train}개, 시험 표본 ${test}개.`,
    missing: (part) =>
      `이 파일들을 쓸 수 없습니다. ${part} 파일이 없습니다. MNIST 파일 네 개를 원래 이름(train-images…, train-labels…, t10k-images…, t10k-labels…)으로 모두 주세요.`,
    trainImages: "훈련 그림",
    trainLabels: "훈련 정답",
    testImages: "시험 그림",
    testLabels: "시험 정답",
    picture: "그림으로 저장",
    pictureOf: (what) => `그림으로 저장: ${what}`,
  },
  footer:
    "모든 계산은 이 페이지에서 이루어집니다. 이론: [Reps and Rall, 2003](https://research.cs.wisc.edu/wpis/abstracts/tr1415r.abs.html). 강의: [R로 딥러닝하기](https://github.com/LOPES-HUFS/DeepLearningFromForR). 소스: [이 페이지를 만든 프로그램](source.txt).",

  percent,
  number: (value) => Math.round(value).toLocaleString("ko"),
  compact: (value) =>
    new Intl.NumberFormat("ko", { notation: "compact", maximumSignificantDigits: 3 }).format(value),
  error: inKorean,
};
