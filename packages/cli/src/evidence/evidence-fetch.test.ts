/** `cmcp evidence fetch` against a server that replays genuine answers. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "@cmcp/appraise/testing";
import { corpusPath, run, verdict } from "./testing/commands.ts";
import { replay, type Answer } from "./testing/replay.ts";
import { evidenceFetch } from "./evidence-fetch.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;
const corpus = (name: string): Buffer => Buffer.from(sharedFile(`evidence/${name}`) ?? new Uint8Array());

const MILAN_REPORT = "amd/reports/milan-v3-vcek-19ade12877.report.bin";
const MILAN_KEY = "amd/certs/sev-vcek-milan-b4165c7b5d.der";
const QUOTE = "intel/quotes/v4-b0c06f000000-f1c8503301.quote.bin";
const QUOTE_AT = "2025-06-25T00:00:00Z";

function intel(): (url: string) => Answer {
  const bundle = JSON.parse(corpus("intel/collateral/dcap-qvl__sample_tdx_quote_collateral.json").toString()) as Record<
    string,
    string
  >;
  const text = (name: string): string => bundle[name] ?? "";
  const chain = (name: string): string => encodeURIComponent(text(name));
  const answers: Readonly<Record<string, Answer>> = {
    "/tdx/certification/v4/tcb?fmspc=b0c06f000000": {
      body: `{"tcbInfo":${text("tcb_info")},"signature":"${text("tcb_info_signature")}"}`,
      header: ["tcb-info-issuer-chain", chain("tcb_info_issuer_chain")],
    },
    "/tdx/certification/v4/qe/identity": {
      body: `{"enclaveIdentity":${text("qe_identity")},"signature":"${text("qe_identity_signature")}"}`,
      header: ["sgx-enclave-identity-issuer-chain", chain("qe_identity_issuer_chain")],
    },
    "/sgx/certification/v4/pckcrl?ca=platform&encoding=der": {
      body: Buffer.from(text("pck_crl"), "hex"),
      header: ["sgx-pck-crl-issuer-chain", chain("pck_crl_issuer_chain")],
    },
    "/IntelSGXRootCA.der": { body: Buffer.from(text("root_ca_crl"), "hex") },
  };
  return (url) => answers[url] ?? null;
}

describe("cmcp evidence fetch", { skip }, () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-fetch-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("asks for the report's own certificate, and keeps nothing unless everything was answered", async (t) => {
    const { service, asked } = await replay(t, (url) =>
      url.endsWith("/crl")
        ? null
        : { body: corpus(url.includes("cert_chain") ? "amd/ca/ask_ark_milan.pem" : MILAN_KEY) },
    );
    const args = ["--platform", "sev-snp", "--evidence", corpusPath(MILAN_REPORT), "--out", folder, "--service"];
    await assert.rejects(run(evidenceFetch, ...args, service), { code: "EVIDENCE_COLLATERAL_UNAVAILABLE" });
    assert.match(asked[0] ?? "", /^\/vcek\/v1\/Milan\/[0-9a-f]{128}\?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219$/);
    await assert.rejects(readFile(join(folder, "vcek.der")), { code: "ENOENT" }, "nothing is half done");
    await assert.rejects(run(evidenceFetch, ...args, "http://127.0.0.1:1"), {
      code: "EVIDENCE_COLLATERAL_UNAVAILABLE",
    });
  });

  test("keeps none where one cannot be written", async (t) => {
    const { service } = await replay(t, (url) => ({
      body: corpus(url.includes("cert_chain") ? "amd/ca/ask_ark_milan.pem" : MILAN_KEY),
    }));
    const taken = join(folder, "taken");
    // The last that is written.
    await mkdir(join(taken, "amd.crl"), { recursive: true });
    const fetched = (out: string) =>
      run(
        evidenceFetch,
        "--platform",
        "sev-snp",
        "--evidence",
        corpusPath(MILAN_REPORT),
        "--out",
        out,
        "--service",
        service,
      );
    await assert.rejects(fetched(taken), { code: "USAGE", message: /amd\.crl: it is not a regular file$/ });
    assert.deepEqual(await readdir(taken), ["amd.crl"]);
    await assert.rejects(fetched(corpusPath(MILAN_REPORT)), { code: "USAGE", message: /^cannot write / });
  });

  test("Intel's answers come with the certificates of who signed them", async (t) => {
    const { service } = await replay(t, intel());
    const { out } = await run(
      evidenceFetch,
      "--platform",
      "tdx",
      "--evidence",
      corpusPath(QUOTE),
      "--out",
      folder,
      "--service",
      service,
      "--json",
    );
    const { collateral } = JSON.parse(out) as { collateral: string[] };
    assert.equal(collateral.length, 7);
    const { verdict: result } = await verdict(
      "--platform",
      "tdx",
      "--evidence",
      corpusPath(QUOTE),
      "--at",
      QUOTE_AT,
      ...collateral.flatMap((file) => ["--collateral", file]),
    );
    assert.deepEqual(
      result.checks
        .filter(({ name }) =>
          ["collateral format", "TCB info signature", "QE identity signature", "PCK revocation"].includes(name),
        )
        .map(({ status }) => status),
      ["passed", "passed", "passed", "passed"],
    );
  });

  test("a chain that is encoded amiss is the service's fault, and named so", async (t) => {
    const genuine = intel();
    const { service } = await replay(t, (url) => {
      const answer = genuine(url);
      return answer?.header === undefined ? answer : { ...answer, header: [answer.header[0], "%ZZ"] };
    });
    await assert.rejects(
      run(evidenceFetch, "--platform", "tdx", "--evidence", corpusPath(QUOTE), "--out", folder, "--service", service),
      { code: "EVIDENCE_COLLATERAL_UNAVAILABLE", message: /issuer-chain.* percent-encoded/ },
    );
  });

  /** An evidence file as a gateway leaves it: without what only the vendor has. */
  async function evidenceFile(name: string, parts: object): Promise<string> {
    const path = join(folder, name);
    const common = {
      format: "cmcp-evidence-v1",
      report_data: Buffer.alloc(64).toString("base64"),
      generated_at: "2026-01-01T00:00:00Z",
    };
    await writeFile(path, JSON.stringify({ ...common, ...parts }), { mode: 0o640 });
    return path;
  }
  const tdxFile = async (name: string): Promise<string> =>
    await evidenceFile(name, {
      provider: "tdx",
      platform: "intel-tdx",
      quote: corpus(QUOTE).toString("base64"),
      launch_document: "e30=",
    });
  test("completes an evidence file, the same again when it is done again", async (t) => {
    const { service } = await replay(t, intel());
    const path = await tdxFile("tdx.json");
    const into = ["--into", path, "--service", service, "--at", QUOTE_AT, "--json"];
    assert.deepEqual(JSON.parse((await run(evidenceFetch, ...into)).out), { ok: true, into: path });
    const once = await readFile(path, "utf8");
    const {
      collateral,
      launch_document: launch,
      quote,
    } = JSON.parse(once) as { collateral: string[]; launch_document: string; quote: string };
    assert.deepEqual([collateral.length, launch, quote], [7, "e30=", corpus(QUOTE).toString("base64")]);
    assert.equal((await stat(path)).mode & 0o777, 0o640);
    await run(evidenceFetch, ...into);
    assert.equal(await readFile(path, "utf8"), once);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith("tdx.json.")),
      [],
      "nothing is left beside it",
    );
  });

  test("leaves the file as it was when an answer is missing, does not hold, or is of another time", async (t) => {
    const path = await tdxFile("untouched.json");
    const before = await readFile(path, "utf8");
    const sound = intel();
    const spoiled: Readonly<Record<string, (url: string) => Answer>> = {
      EVIDENCE_COLLATERAL_UNAVAILABLE: (url) => (url === "/IntelSGXRootCA.der" ? null : sound(url)),
      EVIDENCE_COLLATERAL_INVALID: (url) => {
        const answer = sound(url);
        return url.startsWith("/tdx/certification/v4/tcb") && answer !== null
          ? {
              ...answer,
              body: answer.body.toString().replace('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":99'),
            }
          : answer;
      },
      EVIDENCE_EXPIRED: sound,
    };
    for (const [code, answer] of Object.entries(spoiled)) {
      const { service } = await replay(t, answer);
      await assert.rejects(
        run(
          evidenceFetch,
          "--into",
          path,
          "--service",
          service,
          "--at",
          code === "EVIDENCE_EXPIRED" ? "2026-06-25T00:00:00Z" : QUOTE_AT,
        ),
        { code },
        code,
      );
      assert.equal(await readFile(path, "utf8"), before, code);
    }
  });

  test("what no vendor can complete, and options of the other form, are refused by name", async () => {
    const software = await evidenceFile("software.json", { provider: "software-only", platform: "software-only" });
    await assert.rejects(run(evidenceFetch, "--into", software), { code: "USAGE" });
    await assert.rejects(run(evidenceFetch, "--into", corpusPath("README.md")), { code: "EVIDENCE_MALFORMED" });
    for (const stray of [
      ["--platform", "tdx"],
      ["--evidence", "x"],
      ["--out", folder],
    ])
      await assert.rejects(run(evidenceFetch, "--into", software, ...stray), { code: "USAGE" }, stray[0]);
    await assert.rejects(
      run(evidenceFetch, "--platform", "tdx", "--evidence", corpusPath(QUOTE), "--out", folder, "--at", QUOTE_AT),
      { code: "USAGE" },
    );
  });
});
