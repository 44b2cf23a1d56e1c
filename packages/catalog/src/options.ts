import type { Detectors } from "@cmcp/findings";

/** Under which rules a catalog loads. */
export interface CatalogOptions {
  /** Allows servers whose key is not pinned. */
  readonly developmentMode: boolean;
  /** Look at the approved texts beside the scan's own rules; absent where the build carries none. */
  readonly detectors?: Detectors | null;
  /** Whether the gateway's search is among the tools; absent where it is not. */
  readonly toolSearch?: boolean;
  /** The deployment's sensitivity labels and compliance domains; an entry may carry no other. */
  readonly vocabulary: { has(label: string): boolean; hasDomain(domain: string): boolean };
}
