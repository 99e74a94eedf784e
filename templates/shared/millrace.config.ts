export default {
  pipeline: "src/pipeline.ts",
};
