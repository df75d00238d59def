/** The losses and accuracies of a run, and few enough of their points to draw. */

const WINDOW = 100;

/** Grows as a run goes on. */
export class History {
  readonly losses: number[] = [];
  readonly accuracies: [step: number, accuracy: number][] = [];

  /** Mean of the last losses. */
  recent(): number {
    const last = this.losses.slice(-WINDOW);
    return last.reduce((sum, loss) => sum + loss, 0) / last.length;
  }

  /**
   * What to draw: each bucket of steps as its mean, beside the running mean at its end.
   * @param most points of a curve.
   */
  points(most = 600) {
    const { losses } = this;
    const stride = Math.max(1, Math.ceil(losses.length / most));
    const steps: number[] = [], raw: number[] = [], means: number[] = [];
    let sum = 0, bucket = 0, accuracy = 0;
    const accuracies: (number | null)[] = [];
    losses.forEach((loss, i) => {
      sum += loss - (i >= WINDOW ? losses[i - WINDOW] : 0);
      bucket += loss;
      if ((i + 1) % stride !== 0 && i !== losses.length - 1) return;
      const inBucket = (i % stride) + 1;
      steps.push(i + 1);
      raw.push(bucket / inBucket);
      means.push(sum / Math.min(i + 1, WINDOW));
      bucket = 0;
      let found: number | null = null;
      while (accuracy < this.accuracies.length && this.accuracies[accuracy][0] <= i + 1) {
        found = this.accuracies[accuracy++][1];
      }
      accuracies.push(found);
    });
    return { steps, raw, means, accuracies };
  }

  /** Forgets what came behind so many steps. */
  cut(steps: number): void {
    this.losses.length = Math.min(this.losses.length, steps);
    const later = this.accuracies.findIndex(([step]) => step > steps);
    if (later >= 0) this.accuracies.length = later;
  }
}
