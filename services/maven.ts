import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** An artifact as `group:artifact:version`. */
export type Coordinate = string;

/** Why there is no Java of this version or later, or undefined when there is. */
export async function javaProblem(wanted: string, version: number): Promise<string | undefined> {
  try {
    const { stderr, stdout } = await exec("java", ["-version"]);
    const found = Number(/version "(\d+)/.exec(stderr + stdout)?.[1] ?? 0);
    return found >= version ? undefined : `${wanted} needs Java ${version}; there is ${found}`;
  } catch {
    return "Java is not installed";
  }
}

/** Fetches artifacts and all that they need into `<folder>/jars`, through Maven; gives that folder. */
export async function fetchJars(folder: string, artifacts: readonly Coordinate[]): Promise<string> {
  const pom = join(folder, "pom.xml");
  const jars = join(folder, "jars");
  await writeFile(pom, pomOf(artifacts));
  const fetch = (goal: string): Promise<unknown> =>
    exec("mvn", ["-B", "-q", "-f", pom, goal, `-DoutputDirectory=${jars}`], {
      timeout: 600_000,
    });
  try {
    await fetch("dependency:copy-dependencies");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new Error("Maven (mvn) is not installed");
    // The version that this Maven takes by itself may not be had; a certain one may.
    await fetch("org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies");
  }
  return jars;
}

function pomOf(artifacts: readonly Coordinate[]): string {
  const dependencies = artifacts.map((coordinate) => {
    const [group, artifact, version] = coordinate.split(":");
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${dependencies.join("\n    ")}
  </dependencies>
</project>
`;
}
