import { asCmcpError } from "@cmcp/boundary";
import { isTyped } from "../agent.ts";
import { deliver, isSilence, isTypedAnswer, type Carried } from "../sealed-agent.ts";
import type { HostAct } from "../schedule/acts.ts";
import type { World } from "../world.ts";

type Lie = Extract<HostAct, { kind: "sealed" }>;

/** Sealed requests and answers that the host keeps. */
const KEPT = 16;
/** How often a replayed request is sent again. */
const REPLAYS = 3;
/** Bytes before the chunks: the header, and an encapsulated key of X-Wing. */
const HEAD_BYTES = 7 + 1120;

/** What the host does with sealed requests and answers: it carries, keeps, sends again, cuts, joins and exchanges them. */
export class SealedHost {
  readonly #world: World;
  readonly #requests: Buffer[] = [];
  readonly #answers: Carried[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Whether the host has the agent seal to a key that is not the instance's. */
  showsStrangersKey(): boolean {
    return this.#world.host.lies.take("sealed", ({ lie }) => lie === "stale-key") !== null;
  }

  /** Brings a request to the enclave, or what the next lie makes of it, and hands the agent an answer. */
  async carry(request: Buffer, signal: AbortSignal): Promise<Carried> {
    const lie = this.#world.host.lies.take("sealed", ({ lie: what }) => what !== "stale-key");
    const earlier = this.#requests.at(-1);
    this.#keep(this.#requests, request);
    const replays = lie?.lie === "replay";
    // Every other time at once, so that any of them may be the one that is acted on.
    const atOnce = replays && lie.at % 2 === 1 ? this.#replay(request, signal) : null;
    const answer = await this.#deliver(lie === null ? request : sent(lie, request, earlier), signal);
    await (atOnce ?? (replays ? this.#replay(request, signal) : null));
    const other = this.#answers.at(-1);
    this.#keep(this.#answers, answer);
    if (lie?.lie === "answer-swap") return other ?? answer;
    if (lie?.lie === "answer-cut") return { ...answer, bytes: answer.bytes.subarray(0, lie.at % answer.bytes.length) };
    return answer;
  }

  /** Sends a request again, several times at once, and everything that was kept once more. */
  async #replay(request: Buffer, signal: AbortSignal): Promise<void> {
    const again = [...Array.from({ length: REPLAYS }, () => request), ...this.#requests];
    await Promise.all(
      again.map(async (bytes) => {
        try {
          await this.#deliver(bytes, signal);
        } catch (thrown) {
          const { code } = asCmcpError(thrown, "INTERNAL", "a replay failed");
          if (!isSilence(thrown) && !isTyped(code)) this.#world.find("reply", `a replay was answered ${code}`);
        }
      }),
    );
  }

  async #deliver(bytes: Buffer, signal: AbortSignal): Promise<Carried> {
    const answer = await deliver(this.#world.host.pool, bytes, signal);
    if (!isTypedAnswer(answer, isTyped))
      this.#world.find("reply", `/sealed answered ${answer.status}: ${answer.bytes.toString().slice(0, 200)}`);
    return answer;
  }

  #keep<T>(all: T[], one: T): void {
    all.push(one);
    if (all.length > KEPT) all.shift();
  }
}

/** What the host sends in place of a request. */
function sent({ lie, at }: Lie, request: Buffer, earlier: Buffer | undefined): Buffer {
  switch (lie) {
    case "reorder":
      return reordered(request, at);
    case "truncate":
      return request.subarray(0, at % request.length);
    case "splice":
      return earlier === undefined
        ? request.subarray(HEAD_BYTES)
        : Buffer.concat([earlier.subarray(0, HEAD_BYTES), request.subarray(HEAD_BYTES)]);
    case "swap":
      return earlier ?? Buffer.alloc(0);
    case "replay":
    case "answer-swap":
    case "answer-cut":
    case "stale-key":
      return request;
  }
}

/** Two neighbouring chunks in each other's place. */
function reordered(request: Buffer, at: number): Buffer {
  const chunks: Buffer[] = [];
  let from = HEAD_BYTES;
  for (let length = chunkBytes(request, from); length > 0; length = chunkBytes(request, from)) {
    chunks.push(request.subarray(from, from + length));
    from += length;
  }
  const first = at % Math.max(1, chunks.length - 1);
  const [one, two] = [chunks[first], chunks[first + 1]];
  const moved = one === undefined || two === undefined ? chunks : chunks.with(first, two).with(first + 1, one);
  return Buffer.concat([request.subarray(0, HEAD_BYTES), ...moved, request.subarray(from)]);
}

/** Bytes of the chunk at an offset with its length before it; 0 for the final one. Chunks of a test are below 16 384 bytes. */
function chunkBytes(request: Buffer, at: number): number {
  const first = request[at] ?? 0;
  if (first === 0) return 0;
  return first < 0x40 ? 1 + first : 2 + (request.readUInt16BE(at) & 0x3fff);
}
