"""Servers that misbehave on command, for what real ones will not do on demand.

`wire` is a small HTTP/1.1 server whose answers can lie, break, stall and trickle; `origin` serves a file over
it, `s3` plays a bucket. All of them remember what was asked, never the bodies. `proxy` stands before any server
and breaks a connection at an exact byte.
"""
