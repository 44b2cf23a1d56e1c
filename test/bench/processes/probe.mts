/**
 * Loaded into a process of the bench before its own code, to ask it from outside for its heap after a
 * collection and for CPU profiles. Nothing of the product knows of it: the bench's own host starts the
 * enclave with the flags that make it possible.
 */
import inspector from "node:inspector";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import process from "node:process";

function post(session: inspector.Session, method: string): Promise<object> {
  return new Promise((resolve, reject) =>
    session.post(method, (error: Error | null, result?: object) =>
      error === null ? resolve(result ?? {}) : reject(error),
    ),
  );
}

async function reply(session: inspector.Session, question: string): Promise<object> {
  switch (question) {
    case "heap":
      // Twice: what the first one finalizes the second one frees.
      await globalThis.gc?.({ type: "major", execution: "async" });
      await globalThis.gc?.({ type: "major", execution: "async" });
      return { ...process.memoryUsage() };
    case "profile":
      await post(session, "Profiler.enable");
      await post(session, "Profiler.start");
      return {};
    default:
      return await post(session, "Profiler.stop");
  }
}

/** Answers questions on a Unix socket; listening does not keep the process running. */
export function serveProbe(path: string): void {
  const session = new inspector.Session();
  session.connect();
  const server = createServer((socket) => {
    createInterface({ input: socket }).on("line", (line) => {
      void reply(session, line).then((answer) => socket.write(`${JSON.stringify(answer)}\n`));
    });
  });
  server.listen(path).unref();
}

const last = process.argv.at(-1);
if (last?.endsWith(".probe") === true) serveProbe(last);
