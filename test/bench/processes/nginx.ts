import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { UPSTREAM_HEADER } from "../call.ts";

const PROGRAM = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].find(existsSync);
/** As many as any measured load has requests under way. */
const CONNECTIONS = 256;

/** A reverse proxy that keeps its connections, buffers no answer and writes no log, in one process. */
function settings(folder: string, port: number, upstreams: readonly string[]): string {
  const pools = upstreams.map(
    (url, index) => `upstream u${index} { server ${new URL(url).host}; keepalive ${CONNECTIONS}; }`,
  );
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((of) => `${of}_temp_path ${folder}/${of};`);
  return `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; ${paths.join(" ")}
  keepalive_timeout 120s; keepalive_requests 100000000; client_max_body_size 64m;
  ${pools.join("\n  ")}
  map $http_${UPSTREAM_HEADER.replaceAll("-", "_")} $pool { default u0; ${upstreams.map((_, index) => `${index} u${index};`).join(" ")} }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://$pool; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }
  }
}
`;
}

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A running nginx. */
export interface Nginx {
  readonly port: number;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/**
 * Starts nginx in front of some servers over plain HTTP; `null` where the program is not installed.
 * @throws Error when it does not start
 */
export async function startNginx(folder: string, upstreams: readonly string[]): Promise<Nginx | null> {
  if (PROGRAM === undefined) return null;
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  await writeFile(file, settings(folder, port, upstreams));
  const child = spawn(PROGRAM, ["-p", folder, "-c", file], { stdio: ["ignore", "ignore", "inherit"] });
  while ((await fetch(`http://127.0.0.1:${port}/`).catch(() => null)) === null) {
    if (child.exitCode !== null || child.pid === undefined) throw new Error("nginx did not start");
    await delay(20);
  }
  return { port, pid: child.pid ?? 0, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await once(child, "exit");
}
