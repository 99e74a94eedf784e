// node scripts/proto.mjs: generates the TypeScript of src/spark/proto/*.proto. The generators are fetched for the run (npm's own cache
// keeps them); they are no dependencies of the package.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./launch.mjs";

const BUF = "@bufbuild/buf@1.75.0";
// The runtime's own version (package.json): generated code and runtime belong together.
const PROTOC_GEN_ES = "@bufbuild/protoc-gen-es@2.17.0";

const template = {
  version: "v2",
  plugins: [
    {
      local: "protoc-gen-es",
      out: ".",
      // Enums as plain objects, so that Node runs the files by stripping types.
      opt: ["target=ts", "import_extension=ts", "erasable_syntax=true"],
    },
  ],
};
const args = ["--yes", "--package", BUF, "--package", PROTOC_GEN_ES];
const { status } = spawnSync("npx", [...args, "buf", "generate", ".", "--template", JSON.stringify(template)], {
  cwd: join(root, "src/spark/proto"),
  stdio: "inherit",
});
process.exitCode = status ?? 1;
