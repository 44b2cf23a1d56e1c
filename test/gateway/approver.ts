import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cmcp, type CommandResult } from "./cli.ts";
import type { Gateway } from "./gateway.ts";

/** What `cmcp approvals show --json` says of one call. */
export interface ShownApproval {
  readonly request_hash: string;
  readonly request: {
    readonly approval_id: string;
    readonly arguments: unknown;
    readonly reason: string | null;
    readonly principal: string;
  };
}

/** An approver with a key file, who runs `cmcp approvals` as it is shipped. */
export class Approver {
  readonly id: string;
  /** The member of `enclave.approvers` that lists it. */
  readonly listed: string;
  readonly #key: string;

  private constructor(id: string, listed: string, key: string) {
    this.id = id;
    this.listed = listed;
    this.#key = key;
  }

  /** Makes a key and writes it into a folder. */
  static async make(folder: string, id: string): Promise<Approver> {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const key = join(folder, `${id}.pem`);
    await writeFile(key, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    return new Approver(id, `{id: ${id}, ed25519: ${publicKey.export({ format: "jwk" }).x ?? ""}}`, key);
  }

  /** Runs one command of `cmcp approvals` against a gateway in development. */
  async run(
    { url, launch_digest }: Pick<Gateway, "url" | "launch_digest">,
    command: string,
    ...more: readonly string[]
  ): Promise<CommandResult> {
    const pins = ["--allow-software-only", "--launch-digest", launch_digest.replace("sha256:", "")];
    return await cmcp([
      "approvals",
      command,
      ...more,
      "--url",
      url,
      "--approver",
      this.id,
      "--key",
      this.#key,
      ...pins,
    ]);
  }

  /** The answer of a command that must succeed. */
  async answered<T>(
    gateway: Pick<Gateway, "url" | "launch_digest">,
    command: string,
    ...more: readonly string[]
  ): Promise<T> {
    const { code, stdout, stderr } = await this.run(gateway, command, ...more, "--json");
    assert.equal(code, 0, `${stdout}${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** Looks at a call and approves what was shown. */
  async approve(gateway: Pick<Gateway, "url" | "launch_digest">, id: string): Promise<ShownApproval> {
    const shown = await this.answered<ShownApproval>(gateway, "show", id);
    await this.answered(gateway, "approve", id, "--request", shown.request_hash);
    return shown;
  }
}
