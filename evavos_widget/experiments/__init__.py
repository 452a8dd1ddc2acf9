"""Methods compared over many videos with the robot annotator: loops, tables, statistics, charts."""
