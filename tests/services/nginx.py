"""nginx as an honest web server over a folder: ranges, ETags, sendfile. Its own process, ended by its pid."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import servers

CONFIGURATION = """
daemon off;
worker_processes 1;
error_log {own}/error.log;
pid {own}/pid;
{user}
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  default_type application/octet-stream;
  client_body_temp_path {own}/body;
  proxy_temp_path {own}/proxy;
  fastcgi_temp_path {own}/fastcgi;
  uwsgi_temp_path {own}/uwsgi;
  scgi_temp_path {own}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


class Nginx:
    """Serves `root` at `url` while the context lasts."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def __enter__(self) -> Nginx:
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if not program:
            raise servers.ServiceError("nginx is not installed; run scripts/install.")
        self._own = Path(tempfile.mkdtemp(prefix="nginx-"))
        port = servers.free_port()
        # A worker of root's nginx would be nobody, and could not read a private folder.
        user = "user root;" if os.geteuid() == 0 else ""
        text = CONFIGURATION.format(own=self._own, port=port, root=self.root, user=user)
        (self._own / "nginx.conf").write_text(text)
        self._process = subprocess.Popen(
            [program, "-p", str(self._own), "-c", "nginx.conf", "-e", str(self._own / "error.log")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.url = f"http://127.0.0.1:{port}"
        self._wait_until_it_listens(port)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(servers.STOP_SECONDS)
        shutil.rmtree(self._own, ignore_errors=True)

    def _wait_until_it_listens(self, port: int) -> None:
        deadline = time.monotonic() + servers.START_SECONDS
        while not servers.listens(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = (self._own / "error.log").read_text(errors="replace")[-1000:]
                raise servers.ServiceError(f"nginx did not come up. Its log ends:\n{tail}")
            time.sleep(0.02)
