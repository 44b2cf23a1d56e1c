import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { createLog, startHost, type Host, type Launcher } from "@cmcp/host-proxy";
import { readLaunchInputs } from "@cmcp/launch/files";
import { interpreterFiles } from "@cmcp/spawner/host";
import type { ByteStream } from "@cmcp/wire";
import { openLauncher } from "../../host-proxy/src/launcher/open.ts";
import { CLI } from "../gateway/gateway.ts";
import type { SceneGateway } from "./scene.ts";

/**
 * Where a host hears bytes: requests of agents over HTTP, exchanges that it opens to the enclave, and those that the
 * enclave opens to it.
 */
export const PLACES = ["http", "link", "services"] as const;
export type Place = (typeof PLACES)[number];

/** Everything that a host hears, each stream and direction for itself, so that what two chunks hold together is found. */
export class Heard {
  readonly #streams: { readonly place: Place; readonly chunks: Buffer[] }[] = [];

  /** A stream, of which what is added is kept. */
  stream(place: Place): (bytes: Uint8Array) => void {
    const chunks: Buffer[] = [];
    this.#streams.push({ place, chunks });
    return (bytes) => void chunks.push(Buffer.from(bytes));
  }

  /** What was heard at a place, a buffer for each stream. */
  at(place: Place): Buffer[] {
    return this.#streams.filter((stream) => stream.place === place).map(({ chunks }) => Buffer.concat(chunks));
  }
}

/** A gateway whose host keeps everything that it is sent and sends. */
export interface RecordingGateway extends SceneGateway {
  readonly heard: Heard;
  /** Everything it logged so far. */
  log(): string;
}

/**
 * Starts the product's host in this process, with the enclave as a process of its own, and taps every stream between the two. What the
 * operator says before the enclave serves, such as the launch document and hashes of tokens, is not kept.
 *
 * @param entry the command line's script, beside which the enclave's lies
 */
export async function startRecordingHost(
  config: string,
  env: Record<string, string>,
  entry: string = CLI,
): Promise<RecordingGateway> {
  const inputs = await readLaunchInputs(config, env);
  const lines: string[] = [];
  const log = createLog({ level: "debug", destination: { write: (line) => void lines.push(line) } });
  const heard = new Heard();
  const settings = {
    entry: join(dirname(entry), "enclave/enclave.cjs"),
    nodePath: process.execPath,
    ...(await spawnerFor(inputs.stdioTrees, entry)),
  } as const;
  const launcher = await openLauncher({ ...settings, developmentMode: true }, inputs.document, log);
  const serving = { yet: false };
  const host: Host = await startHost({
    listen: inputs.host.listen,
    launch: inputs.document,
    provision: inputs.provision,
    trees: inputs.stdioTrees,
    egressAllow: inputs.egressTargets.map(({ host: name, port }) => `${name}:${port}`),
    storePath: inputs.paths.auditDb,
    witnesses: inputs.witnesses,
    enclave: tapped(launcher, heard, serving),
    log,
  });
  serving.yet = true;
  const url = `http://${host.address.host}:${host.address.port}`;
  return { url, mcp: `${url}/mcp`, heard, log: () => lines.join(""), stop: () => host.close() };
}

/** The spawner beside the command line, when the catalog has stdio servers. */
async function spawnerFor(trees: readonly string[], entry: string) {
  if (trees.length === 0) return {};
  const node = await realpath(process.execPath);
  return { spawner: { program: join(dirname(entry), "cmcp-spawn"), runtime: await interpreterFiles(node) } };
}

function tapped(launcher: Launcher, heard: Heard, serving: { readonly yet: boolean }): Launcher {
  const { dialer } = launcher;
  return {
    ...launcher,
    dialer: {
      address: dialer.address,
      dial: async (signal) => tap(await dialer.dial(signal), heard, "link", () => serving.yet),
    },
    listen: async (onStream) => await launcher.listen((stream) => onStream(tap(stream, heard, "services", () => true))),
  };
}

/** Keeps what a stream is written and gives, in the order of each direction. */
function tap(stream: ByteStream, heard: Heard, place: Place, keeps: () => boolean): ByteStream {
  const [sent, received] = [heard.stream(place), heard.stream(place)];
  const write = stream.write.bind(stream) as (chunk: Uint8Array, ...rest: unknown[]) => boolean;
  const push = stream.push.bind(stream);
  return Object.assign(stream, {
    write: (chunk: Uint8Array, ...rest: unknown[]): boolean => {
      if (keeps()) sent(chunk);
      return write(chunk, ...rest);
    },
    push: (chunk: Uint8Array | null): boolean => {
      if (chunk !== null && keeps()) received(chunk);
      return push(chunk);
    },
  });
}

/** Carries requests as the platform's `fetch` does, and keeps request and answer as the host's HTTP side has them. */
export function recordingFetch(heard: Heard): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const sent = heard.stream("http");
    sent(Buffer.from(`${request.method} ${request.url}\n${lines(request.headers)}\n`));
    const body = request.body === null ? null : new Uint8Array(await request.clone().arrayBuffer());
    if (body !== null) sent(body);
    const answer = await fetch(request);
    const received = heard.stream("http");
    received(Buffer.from(`${answer.status}\n${lines(answer.headers)}\n`));
    const copy = answer.body?.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          received(chunk);
          controller.enqueue(chunk);
        },
      }),
    );
    return new Response(copy ?? null, { status: answer.status, headers: answer.headers });
  };
}

function lines(headers: Headers): string {
  return [...headers].map(([name, value]) => `${name}: ${value}`).join("\n");
}
