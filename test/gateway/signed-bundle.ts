import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readBundle, signBundle } from "@cmcp/policy/bundle";

/** What a test says of a bundle. */
export interface SignedBundle {
  readonly version: string;
  readonly rules: string;
  /** `null` leaves it unsigned. */
  readonly key: KeyObject | null;
}

/** A signing key, and its public half as CMCP_POLICY_SIGNING_KEY takes it. */
export function signingKey(): { readonly key: KeyObject; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { key: privateKey, publicKey: publicKey.export({ format: "jwk" }).x ?? "" };
}

/** Bundles that take the place of a deployment's policy folder whole, as a careful operator replaces them. */
export class BundleShelf {
  readonly #folder: string;
  readonly #link: string;
  #count = 0;

  /** @param policies the path the deployment reads its bundle from; nothing may be there yet. */
  constructor(folder: string, policies: string) {
    this.#folder = folder;
    this.#link = policies;
  }

  /** Puts a bundle there, and returns its hash. `change` may spoil its files after signing. */
  async place(
    { version, rules, key }: SignedBundle,
    change: (files: Record<string, string>) => void = () => undefined,
  ): Promise<string> {
    const folder = await this.#next();
    const manifest = {
      version,
      authored_at: "2026-01-01T00:00:00Z",
      author_identity: "test@example.org",
      commit_sha: "0",
    };
    const files: Record<string, string> = { "rules.cedar": rules, "schema.cedarschema": "" };
    const unsigned = readBundle({ ...files, "manifest.json": JSON.stringify(manifest) });
    files["manifest.json"] = JSON.stringify(
      key === null ? manifest : { ...manifest, signature: signBundle(unsigned, (bytes) => sign(null, bytes, key)) },
    );
    change(files);
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    await this.#show(folder);
    return unsigned.hash;
  }

  /** Puts a bundle that was there before back: the count-th placed, from 1. */
  async replay(count: number): Promise<void> {
    await this.#show(join(this.#folder, `bundle-${count}`));
  }

  async #next(): Promise<string> {
    this.#count += 1;
    const folder = join(this.#folder, `bundle-${this.#count}`);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  /** One rename, so that whoever looks finds one bundle or the other, never a mixture. */
  async #show(folder: string): Promise<void> {
    const link = join(this.#folder, "next");
    await symlink(folder, link);
    await rename(link, this.#link);
  }
}
