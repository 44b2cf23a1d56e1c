import { CmcpError } from "@cmcp/boundary";

/** Where the page is, unless the command says otherwise. The port is part of the origin that is measured. */
export const DEFAULT_LISTEN = "127.0.0.1:8764";

/** The port of `--listen`. Other machines reach no page. @throws CmcpError `USAGE` */
export function portOf(listen: string): number {
  const port = /^(?:127\.0\.0\.1|localhost):(\d{1,5})$/.exec(listen)?.[1];
  if (port === undefined || Number(port) > 65_535)
    throw new CmcpError("USAGE", `--listen is 127.0.0.1 and a port, such as ${DEFAULT_LISTEN}`);
  return Number(port);
}
