/** A pad to draw a digit on, by mouse, pen, finger or keyboard. */

import { byId } from "../parts/elements.ts";

const PEN = 20; // of 280 pixels

/**
 * Centres and scales ink as MNIST's is: the ink's box fitted into 20 x 20, its centre of mass in the
 * middle of 28 x 28 (LeCun et al. 1998).
 * @param ink [side, side], 0 to 255.
 */
export function likeMnist(
  ink: Uint8ClampedArray,
  side: number,
): Uint8Array<ArrayBuffer> { // [28, 28]
  let top = side, left = side, bottom = -1, right = -1;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (ink[y * side + x] < 16) continue;
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      left = Math.min(left, x);
      right = Math.max(right, x);
    }
  }
  const image = new Uint8Array(28 * 28);
  if (bottom < 0) return image;
  const scale = Math.max(bottom - top + 1, right - left + 1) / 20; // drawn pixels in one of ours
  /** The mean ink in a box of the drawing. */
  const mean = (y0: number, x0: number) => {
    let sum = 0, number = 0;
    for (let y = Math.floor(y0); y < y0 + scale; y++) {
      for (let x = Math.floor(x0); x < x0 + scale; x++) {
        if (y >= 0 && x >= 0 && y < side && x < side) sum += ink[y * side + x];
        number++;
      }
    }
    return sum / number;
  };
  let mass = 0, massY = 0, massX = 0;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const value = ink[y * side + x];
      mass += value;
      massY += value * (y + 0.5);
      massX += value * (x + 0.5);
    }
  }
  for (let y = 0; y < 28; y++) {
    for (let x = 0; x < 28; x++) {
      image[y * 28 + x] = mean(massY / mass + (y - 14) * scale, massX / mass + (x - 14) * scale);
    }
  }
  return image;
}

/**
 * Puts the pad to work.
 * @param tell is called with each digit that is drawn, [28, 28], and with nothing once it is gone.
 */
export function showPad(tell: (digit: Uint8Array<ArrayBuffer> | undefined) => void): void {
  const pad = byId<HTMLCanvasElement>("pad");
  const context = pad.getContext("2d", { willReadFrequently: true })!;
  let last: [number, number] | undefined;

  function wipe(): void {
    context.fillStyle = "#000";
    context.fillRect(0, 0, pad.width, pad.height);
  }

  function drawn(): void {
    const { data } = context.getImageData(0, 0, pad.width, pad.height);
    const ink = new Uint8ClampedArray(pad.width * pad.height).map((_, i) => data[4 * i]);
    tell(likeMnist(ink, pad.width));
  }

  function place(event: PointerEvent): [number, number] {
    const box = pad.getBoundingClientRect();
    return [
      (event.clientX - box.left) * pad.width / box.width,
      (event.clientY - box.top) * pad.height / box.height,
    ];
  }

  function line(from: [number, number], to: [number, number]): void {
    context.strokeStyle = "#fff";
    context.lineWidth = PEN;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    drawn();
  }

  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    last = place(event);
    line(last, last);
  });
  pad.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = place(event);
    line(last, next);
    last = next;
  });
  for (const kind of ["pointerup", "pointercancel"] as const) {
    pad.addEventListener(kind, () => last = undefined);
  }
  pad.addEventListener("keydown", (event) => {
    if (!/^[0-9]$/.test(event.key)) return;
    wipe(); // by keyboard, a digit is set in type
    context.fillStyle = "#fff";
    context.font = "600 230px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(event.key, pad.width / 2, pad.height / 2 + 12);
    drawn();
  });
  byId("clear").addEventListener("click", () => {
    wipe();
    tell(undefined);
  });
  wipe();
}
