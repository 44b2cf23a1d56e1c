import { CmcpError } from "@cmcp/boundary";
import type { HostAct } from "../schedule/acts.ts";

type Armed = Extract<HostAct, { readonly skip: number }>;

/** Lies that wait for their occasion. */
export class ArmedLies {
  /** How many were told. */
  told = 0;
  #armed: { readonly act: Armed; left: number }[] = [];

  arm(act: Armed): void {
    this.#armed.push({ act, left: act.skip });
  }

  /** The lie whose occasion this is, if there is one; each is told once. */
  take<K extends Armed["kind"]>(
    kind: K,
    fits: (act: Extract<Armed, { readonly kind: K }>) => boolean = () => true,
  ): Extract<Armed, { readonly kind: K }> | null {
    const index = this.#armed.findIndex(
      ({ act }) => act.kind === kind && fits(act as Extract<Armed, { readonly kind: K }>),
    );
    const found = this.#armed[index];
    if (found === undefined) return null;
    found.left -= 1;
    if (found.left >= 0) return null;
    this.#armed.splice(index, 1);
    this.told += 1;
    return found.act as Extract<Armed, { readonly kind: K }>;
  }

  clear(): void {
    this.#armed = [];
  }
}

/** Whatever stands still, until it is let go. */
export class Standstill {
  #release = Promise.withResolvers<void>();
  #count = 0;
  readonly #began: () => void;

  /** @param began called whenever something comes to a standstill */
  constructor(began: () => void) {
    this.#began = began;
  }

  get active(): boolean {
    return this.#count > 0;
  }

  /** Waits until {@link Standstill.release}, and throws then. */
  async hold(): Promise<never> {
    this.#count += 1;
    this.#began();
    await this.#release.promise;
    throw new CmcpError("OVERLOADED", "the host lets it go");
  }

  release(): void {
    this.#count = 0;
    this.#release.resolve();
    this.#release = Promise.withResolvers<void>();
  }
}
