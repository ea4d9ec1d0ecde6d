"""From a spec, or the folder of a run, to a training that can start, or to an evaluation."""
