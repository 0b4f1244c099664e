"""The STDIO MCP server, one for every agent: it parses a tool call, makes one core call, and shows the result.

Call `run.main`.
"""
