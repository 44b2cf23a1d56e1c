import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import { parseManifest, parseManifestSignature } from "./manifest.ts";
import { writeSmallImage } from "./testing/small-image.ts";
import { verifyImage } from "./verify-image.ts";

const VERIFY = fileURLToPath(new URL("./verify.ts", import.meta.url));
const publicKey = ({ publicKey: key }: ReturnType<typeof newKey>): string => key.export({ format: "jwk" }).x ?? "";
const newKey = () => generateKeyPairSync("ed25519");

describe("an image that was published", () => {
  const publisher = newKey();
  let work = "";
  let published = "";
  before(async () => {
    work = mkdtempSync(join(tmpdir(), "cmcp-published-"));
    published = join(work, "published");
    await writeSmallImage(published, publisher.privateKey);
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  let count = 0;
  const changed = (change: (folder: string) => void): string => {
    const folder = join(work, `changed-${(count += 1)}`);
    cpSync(published, folder, { recursive: true });
    change(folder);
    return folder;
  };

  test("is its publisher's, file by file", () => {
    const { files } = verifyImage(published, publicKey(publisher));
    assert.deepEqual(
      [...Object.keys(files), "manifest.json", "manifest.sig.json"].sort(),
      readdirSync(published).sort(),
    );
  });

  test("has no signature when no key was given, and is then nobody's", async () => {
    const unsigned = join(work, "unsigned");
    await writeSmallImage(unsigned, null);
    assert.equal(existsSync(join(unsigned, "manifest.sig.json")), false);
    assert.deepEqual(
      readFileSync(join(unsigned, "manifest.json")),
      readFileSync(join(published, "manifest.json")),
      "the signature is no part of the image",
    );
    verifyImage(unsigned, null);
    assert.throws(() => verifyImage(unsigned, publicKey(publisher)), {
      code: "IMAGE_MANIFEST_INVALID",
      message: /manifest.sig.json/,
    });
  });

  test("is not another's, whatever key the signature names", async () => {
    const stranger = newKey();
    assert.throws(() => verifyImage(published, publicKey(stranger)), { code: "IMAGE_SIGNATURE_INVALID" });
    const forged = join(work, "forged");
    await writeSmallImage(forged, stranger.privateKey);
    assert.throws(() => verifyImage(forged, publicKey(publisher)), { code: "IMAGE_SIGNATURE_INVALID" });
    const named = changed((folder) => {
      const { signature } = JSON.parse(readFileSync(join(forged, "manifest.sig.json"), "utf8")) as {
        signature: string;
      };
      writeFileSync(join(folder, "manifest.sig.json"), JSON.stringify({ key: publicKey(publisher), signature }));
    });
    assert.throws(() => verifyImage(named, publicKey(publisher)), { code: "IMAGE_SIGNATURE_INVALID" });
  });

  const wrong: Readonly<Record<string, (folder: string) => void>> = {
    "a file with one byte changed": (folder) => {
      const bytes = readFileSync(join(folder, "vmlinuz"));
      bytes[100] = (bytes[100] ?? 0) ^ 1;
      writeFileSync(join(folder, "vmlinuz"), bytes);
    },
    "a shorter file": (folder) => truncateSync(join(folder, "vmlinuz"), 10),
    "a missing file": (folder) => rmSync(join(folder, "cmdline-tdx")),
    "a file nobody listed": (folder) => writeFileSync(join(folder, "extra"), ""),
    "a link in place of a file": (folder) => {
      renameSync(join(folder, "vmlinuz"), join(work, "elsewhere"));
      symlinkSync(join(work, "elsewhere"), join(folder, "vmlinuz"));
    },
    "no manifest": (folder) => rmSync(join(folder, "manifest.json")),
    "a manifest too large to be one": (folder) => truncateSync(join(folder, "manifest.json"), 2 * 1024 * 1024),
    "a manifest of another version": (folder) =>
      writeFileSync(
        join(folder, "manifest.json"),
        readFileSync(join(folder, "manifest.json"), "utf8").replace('"version":1', '"version":2'),
      ),
    "a name that leaves the folder, for a file that is there": (folder) => {
      renameSync(join(folder, "vmlinuz"), join(work, "vmlinuz"));
      writeFileSync(
        join(folder, "manifest.json"),
        readFileSync(join(folder, "manifest.json"), "utf8").replace('"vmlinuz"', '"../vmlinuz"'),
      );
    },
  };
  for (const [what, change] of Object.entries(wrong)) {
    test(`${what} is refused`, () =>
      assert.throws(() => verifyImage(changed(change), null), { code: "IMAGE_MANIFEST_INVALID" }));
  }

  test("a longer file is refused by its size, before it is read", () => {
    const longer = changed((folder) => truncateSync(join(folder, "vmlinuz"), 2 ** 33));
    assert.throws(() => verifyImage(longer, null), {
      code: "IMAGE_MANIFEST_INVALID",
      message: /vmlinuz has 8589934592 bytes/,
    });
  });

  test("a manifest that is not JSON is refused as such, with any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const parse of [parseManifest, parseManifestSignature])
          assert.throws(
            () => parse(untrusted(bytes)),
            (thrown: { code?: string }) => /^(JSON_|IMAGE_MANIFEST_INVALID)/.test(thrown.code ?? ""),
          );
      }),
    );
    assert.throws(() => parseManifest(untrusted(readFileSync(join(published, "manifest.sig.json")))), {
      code: "IMAGE_MANIFEST_INVALID",
    });
    assert.throws(() => parseManifestSignature(untrusted(readFileSync(join(published, "manifest.json")))), {
      code: "IMAGE_MANIFEST_INVALID",
    });
  });

  test("the command says so, by its exit code too", async () => {
    const run = (...args: string[]) =>
      new Promise<{ code: number; out: string; err: string }>((resolve) => {
        execFile(process.execPath, ["--disable-warning=ExperimentalWarning", VERIFY, ...args], (error, out, err) =>
          resolve({ code: error === null ? 0 : Number(error.code), out, err }),
        );
      });
    const good = await run(published, "--key", publicKey(publisher));
    assert.deepEqual([good.code, good.err], [0, ""]);
    assert.match(
      good.out,
      new RegExp(
        "^14 files are those of the manifest; kernel 6\\.12\\.0, .*\\nthe manifest is signed by " +
          `${publicKey(publisher)}\\n$`,
      ),
    );
    assert.match((await run(published)).out, /was not looked at/);
    const bad = await run(changed((folder) => appendFileSync(join(folder, "vmlinuz"), "x")));
    assert.deepEqual([bad.code, bad.out], [10, ""]);
    assert.match(bad.err, /^IMAGE_MANIFEST_INVALID: vmlinuz has/);
    assert.equal((await run(published, "--key", `-${"A".repeat(42)}`)).code, 10, "a key may begin with a dash");
    for (const args of [[], [published, published], [published, "--key", "short"], [published, "--other"]])
      assert.equal((await run(...args)).code, 64, args.join(" "));
  });
});
