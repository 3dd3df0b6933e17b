-- For how much of each of the last half-hours a device was here (iotcenter.center.attendance), and every how many seconds
-- its owner expects to hear of it; NULL: as it says itself.
ALTER TABLE device ADD COLUMN attendance BLOB;
ALTER TABLE device ADD COLUMN expected REAL;
