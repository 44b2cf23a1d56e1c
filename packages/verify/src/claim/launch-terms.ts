/** The values of a launch document that a claim is compared with. Hashes are `sha256:` and hex. */
export interface LaunchTerms {
  /** Software attestation, unconfined processes and callers without a token were allowed. */
  readonly development: boolean;
  readonly catalogHash: string;
  /** Hash of the policy bundle in the document. */
  readonly policyHash: string;
  /** Version by hash, of the document's own bundle and of those given beside it. */
  readonly versions: ReadonlyMap<string, string>;
  /**
   * Holds one replacement to the document. Both bundles are among {@link versions}.
   * @throws CmcpError `POLICY_NOT_OF_LAUNCH` when the document lets no bundle follow, `POLICY_SIGNATURE_INVALID`,
   *   `POLICY_VERSION_NOT_HIGHER`, `POLICY_BUNDLE_INVALID` for a version without an order
   */
  requireMayFollow(next: string, previous: string): void;
  /**
   * Holds one replacement of the catalog to the document and to the versions that are shown.
   * @param version of the next catalog; `null` where nothing says it
   * @throws CmcpError `CATALOG_HASH_MISMATCH` when the document lets no catalog follow, `CATALOG_VERSION_MISSING` when the versions do not
   *   lead from one to the other, `CATALOG_APPROVAL_INVALID`, `CATALOG_APPROVALS_MISSING`
   */
  requireCatalogMayFollow(next: string, previous: string, version: number | null): void;
}

/** The launch document that a machine must have been started with. */
export interface ExpectedLaunch {
  readonly document: Uint8Array;
  /**
   * Reads the document. Handed in, because hashes of bundles and catalogs are made where Node is.
   * @throws CmcpError if it is not a launch document
   */
  readonly read: (document: Uint8Array) => LaunchTerms;
}
