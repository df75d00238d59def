/**
 * The library's errors in Korean. It speaks English, in sentences of known shapes: those that are met
 * on the page are said in Korean, and of others the sentence itself is shown, with a word before it.
 */

/** A shape of a sentence, and what it is in Korean; groups are the parts that change. */
type Shape = readonly [english: RegExp, korean: (...parts: string[]) => string];

/** What is wrong with an operation or a network. */
const REASONS: readonly Shape[] = [
  [
    /^the kernel, (\S+), is larger than its (padded )?input, (\S+)$/,
    (kernel, padded, input) => `커널 ${kernel}이 ${padded ? "채운 " : ""}입력 ${input}보다 큽니다`,
  ],
  [
    /^operation (\d+), "(.*)": there is no (\S+), but (.*)$/,
    (place, text, name, known) =>
      `${place}번째 연산 "${text}": ${name}은(는) 없습니다. 쓸 수 있는 것은 ${known}입니다`,
  ],
  [
    /^operation (\d+), "(.*)": there is nothing$/,
    (place) => `${place}번째 연산이 비어 있습니다`,
  ],
  [
    /^operation (\d+), "(.*)": (.*)$/,
    (place, text, reason) => `${place}번째 연산 "${text}": ${because(reason)}`,
  ],
  [
    /^it takes maps, .* and gets a row of (\d+) values; .*$/,
    (values) =>
      `[채널, 높이, 너비] 모양의 맵을 받아야 하는데 값 ${values}개의 행이 왔습니다. 밀집층 앞에 두세요`,
  ],
  [
    /^(.+) is a whole number from 1(?:, or two as in 3x5)?, not (.*)$/,
    (what, text) => `${what}은(는) 1 이상의 정수여야 하며 ${text || "빈칸"}일 수 없습니다`,
  ],
  [
    /^kernel, stride and dilation are whole numbers from 1$/,
    () => "kernel, stride, dilation은 1 이상의 정수여야 합니다",
  ],
  [
    /^there is no (\S+), but (.*)$/,
    (name, known) => `${name}은(는) 없습니다. 쓸 수 있는 것은 ${known}입니다`,
  ],
  [/^there is no (\S+)$/, (name) => `${name}은(는) 없습니다`],
  [/^(\S+) is said twice$/, (name) => `${name}이(가) 두 번 나옵니다`],
];

function because(reason: string): string {
  for (const [english, korean] of REASONS) {
    const found = english.exec(reason);
    if (found) return korean(...found.slice(1));
  }
  return reason;
}

const SENTENCES: readonly Shape[] = [
  [/^Cannot read the network: (.*)$/s, (reason) => `신경망을 읽을 수 없습니다: ${because(reason)}`],
  [
    /^Cannot build (".*?"(?:, operation \d+)?): (.*)$/s,
    (node, reason) => `${node}을(를) 만들 수 없습니다: ${because(reason)}`,
  ],
  [
    /^Cannot hold (\S.*): its (.*) needs? (.*), and (.*) gives (.*) an array; (.*) would fit$/,
    (network, _array, needs, device, limit, fitting) =>
      `${network}은(는) 너무 큽니다. 배열 하나에 ${needs}가 필요한데 ${
        device === "the page" ? "이 페이지" : device
      }의 한계는 ${limit}입니다. ${fitting}이라면 들어갑니다`,
  ],
  [
    /^Cannot draw batches of (\d+): there are only (\d+) training samples; .*$/,
    (batch, samples) =>
      `배치 크기 ${batch}은(는) 쓸 수 없습니다. 훈련 표본이 ${samples}개뿐입니다. 더 작은 배치를 쓰세요`,
  ],
  [
    /^Cannot go on: the GPU device was lost \((.*)\)$/,
    (reason) => `GPU 장치를 잃어 계속할 수 없습니다(${reason}).`,
  ],
  [
    /^The GPU device was lost \((.*?)\) and opened again(?:; the run goes on from step (\d+))?(.*)$/,
    (reason, step, rest) =>
      `GPU 장치를 잃었다가(${reason}) 다시 열었습니다.${
        step ? ` ${step}단계부터 이어서 학습합니다.` : ""
      }${rest ? ` ${rest.replace(/^, /, "")}` : ""}`,
  ],
  [
    /^Cannot go on at step (\d+): the loss is (.*?)(?:;.*)?$/s,
    (step, loss) =>
      `${step}단계에서 계속할 수 없습니다. 손실이 ${loss}가 되었습니다. 학습률을 줄여 보세요.`,
  ],
  [
    /^Cannot go on at step (\d+): (.*)$/s,
    (step, reason) => `${step}단계에서 계속할 수 없습니다. 학습률을 줄여 보세요. (${reason})`,
  ],
  [
    /^With h = (\S+) nudges flip (\S+) of (\S+) units of (.*), over all samples of a batch, .* give a larger h: (\S+) flips half of them$/,
    (h, flipped, units, layer, half) =>
      `h = ${h}만큼 움직여서는 한 배치의 모든 표본에서 ${layer}의 유닛 ${units}개 가운데 ${flipped}개만 뒤집혀, 거의 학습하지 못합니다. h를 키우세요. ${half}이면 절반이 뒤집힙니다.`,
  ],
  [
    /^h = (\S+) is rounded away: .* for (\d+) of (\d+) weights, .* give --h (\S+) or more.*$/,
    (h, still, all, least) =>
      `h = ${h}는 반올림으로 사라집니다. 가중치 ${all}개 가운데 ${still}개에서 float32로는 w + h가 w와 같습니다. h를 ${least} 이상으로 하거나 차분 방법을 쓰세요.`,
  ],
  [
    /^Cannot take differences with h = (\S+) on WebGPU: float32 has room for an h from (\S+) to (\S+);.*$/,
    (h, least, most) =>
      `h = ${h}로는 WebGPU에서 차분을 구할 수 없습니다. float32로는 ${least}부터 ${most}까지 쓸 수 있습니다`,
  ],
  [
    /^(.*): no window looks at (.*)$/,
    (layer) => `${layer}: 입력의 일부 행이나 열은 어느 창에도 들어가지 않습니다`,
  ],
  [
    /^Cannot use these weights with (.*): they are (\S+), and the data need (\d+) inputs and (\d+) outputs$/,
    (data, shape, inputs, outputs) =>
      `이 가중치는 ${data}에 쓸 수 없습니다. 가중치는 ${shape}인데 데이터에는 입력 ${inputs}개와 출력 ${outputs}개가 필요합니다`,
  ],
  [
    /^Cannot (?:read|use) (\S+\.(?:h5|hdf5|safetensors|gz|ubyte|onnx)|\S+ubyte\S*)(?: as \S+)?: (.*)$/s,
    (file, reason) => `${file} 파일을 쓸 수 없습니다. (${reason})`,
  ],
  [
    /^Cannot show test digit (\d+): there are (\d+), counted from 1$/,
    (place, count) => `${place}번째 시험 숫자는 없습니다. 1부터 ${count}까지 있습니다`,
  ],
  [
    /^The GPU is not used, and this runs on the CPU: (.*)$/s,
    (reason) => `GPU를 쓰지 않고 CPU에서 학습합니다. (${reason})`,
  ],
  [
    /^Cannot use the surrogate .*$/,
    () => "지어낸 도함수는 계단 유닛이 있는 신경망의 오차역전파에만 쓸 수 있습니다",
  ],
];

/** A sentence of the library in Korean; of one that is not known, itself behind a word. */
export function inKorean(message: string): string {
  for (const [english, korean] of SENTENCES) {
    const found = english.exec(message);
    if (found) return korean(...found.slice(1).map((part) => part ?? ""));
  }
  return `오류 (원문): ${message}`;
}
