/** Under which rules a catalog loads. */
export interface CatalogOptions {
  /** Allows servers whose key is not pinned. */
  readonly developmentMode: boolean;
  /** The deployment's sensitivity labels and compliance domains; an entry may carry no other. */
  readonly vocabulary: { has(label: string): boolean; hasDomain(domain: string): boolean };
}
