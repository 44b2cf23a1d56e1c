/** Where time comes from: milliseconds since 1970 by the host's word, and milliseconds that only go forward. */
export interface TimeSources {
  readonly wall: () => number;
  readonly monotonic: () => number;
}

const PLATFORM: TimeSources = { wall: () => Date.now(), monotonic: () => performance.now() };

/**
 * Wall time, held against a host that sets the clock back or stops it. It is never below a floor or a time given
 * before, and never slower than the monotonic clock since then. A host that sets the clock ahead makes tokens expire
 * early; it cannot make one last longer.
 */
export class TimeFloor {
  readonly #sources: TimeSources;
  #latest: number;
  #at: number;

  /** @param floorMs a time that has certainly passed: of the build, the launch document, the last signed statement */
  constructor(floorMs: number, sources: TimeSources = PLATFORM) {
    this.#sources = sources;
    this.#latest = floorMs;
    this.#at = sources.monotonic();
  }

  /** Milliseconds since 1970. */
  now(): number {
    const at = this.#sources.monotonic();
    const wall = this.#sources.wall();
    const carried = this.#latest + Math.max(0, at - this.#at);
    this.#latest = Number.isFinite(wall) ? Math.max(carried, wall) : carried;
    this.#at = at;
    return this.#latest;
  }

  /** Takes note of a time that has certainly passed, such as that of a signed statement which was just verified. */
  raise(floorMs: number): void {
    this.#latest = Math.max(this.now(), floorMs);
  }
}
