/** The version this gateway reports to agents, in claims and in its status. */
export const GATEWAY_VERSION = "0.1.0";
