"""ElasticMQ, the first server of queues: FIFO, batches and limits as SQS has them; it checks no signatures."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from servers import HOME, Kind, ServiceError

POM = """
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>penstock</groupId>
  <artifactId>elasticmq</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.elasticmq</groupId>
      <artifactId>elasticmq-server_2.13</artifactId>
      <version>{version}</version>
    </dependency>
  </dependencies>
</project>
"""
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

# The port twice: queues' URLs are made of node-address.
CONFIGURATION = """
include classpath("reference.conf")
include classpath("application.conf")
node-address {{ protocol = http, host = "{host}", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "{host}", sqs-limits = strict }}
"""


class ElasticMq(Kind):
    name = "elasticmq"
    version = "1.7.1"
    health = "/health"
    needs = "needs Java and Maven, which scripts/install brings"

    @property
    def jars(self) -> Path:
        return HOME / f"{self.name}-{self.version}"

    @property
    def installed(self) -> bool:
        return self.jars.exists() and shutil.which("java") is not None

    @property
    def possible(self) -> bool:
        return shutil.which("java") is not None and shutil.which("mvn") is not None

    def install(self) -> None:
        if not self.possible:
            raise ServiceError(f"{self.name} {self.needs}.")
        HOME.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=HOME) as build:
            (Path(build) / "pom.xml").write_text(POM.format(version=self.version))
            maven = ["mvn", "-B", "-q", COPY, "-DincludeScope=runtime", f"-DoutputDirectory={build}/jars"]
            done = subprocess.run(maven, cwd=build, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                raise ServiceError(f"Maven could not fetch {self.name}:\n{done.stdout[-2000:]}")
            if not self.jars.exists():
                (Path(build) / "jars").rename(self.jars)

    def command(self, address: str, folder: Path) -> list[str]:
        host, port = address.split(":")
        (folder / "emq.conf").write_text(CONFIGURATION.format(host=host, port=port))
        return [
            *("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *(f"-Dconfig.file={folder}/emq.conf", "-cp", f"{self.jars}/*", "org.elasticmq.server.Main"),
        ]
